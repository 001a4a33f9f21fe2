/**
 * Elements by function call. Text enters the page through text nodes only: a name from a model can hold
 * markup, quotes or control characters and stays text, with every character that could hide or mislead
 * spelt out.
 */
export type Child = Node | string | number | null | undefined | false | Child[];

type Listener = (event: never) => void;
type Value = string | number | boolean | null | undefined | Listener;

// Characters that draw nothing, or that turn the direction of the text around them.
const kUnseen = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\uffff]/g;

/** `text` with every character that could hide or mislead spelt out: "\u202e". */
export function visible(text: string): string {
  return text.replace(kUnseen, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const kSpoken = new Set(['title', 'aria-label', 'placeholder']);

function fill(element: Element, attributes: Record<string, Value>, children: Child[]): void {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(key, value as EventListener);
    else element.setAttribute(key, value === true ? '' : kSpoken.has(key) ? visible(String(value)) : String(value));
  }
  append(element, children);
}

export function append(parent: Element, children: Child[]): void {
  for (const child of children) {
    if (Array.isArray(child)) append(parent, child);
    else if (child instanceof Node) parent.appendChild(child);
    else if (child !== null && child !== undefined && child !== false) {
      parent.appendChild(document.createTextNode(visible(String(child))));
    }
  }
}

/** An HTML element; attributes that are functions become listeners of the event of that name. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Record<string, Value> = {}, ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/** An SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K, attributes: Record<string, Value> = {}, ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  fill(element, attributes, children);
  return element;
}

/** How much larger than usual the page's letters are; what is laid out by numbers grows with them. */
export const letters = (): number => parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;

/** Replaces what is inside `parent`. */
export function replace(parent: Element, ...children: Child[]): void {
  parent.textContent = '';
  append(parent, children);
}

/** `text` cut in its middle to at most `length` characters. */
export function elide(text: string, length: number): string {
  if (text.length <= length) return text;
  const head = Math.ceil((length - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (length - 1 - head))}`;
}

/** A name from outside: visible, isolated from the direction of its surroundings, cut in its middle. */
export function nameOf(text: string, length = 200): HTMLElement {
  const shown = visible(text);
  const cut = elide(shown, length);
  return h('bdi', { class: 'name', title: cut === shown ? null : elide(shown, 2000) }, cut);
}

/** A small button that shows how a number is known. */
export function why(explanation: string, label = 'How is this known?'): HTMLElement {
  return h('details', { class: 'why' },
    h('summary', { 'aria-label': label, title: label }, '?'), h('p', {}, explanation));
}

const kSlice = 12;  // ms of work before the page gets a turn

/** Lets the page breathe in a long loop: `if (breath.due()) await breath.take()`. */
export class Breath {
  private until = performance.now() + kSlice;
  due(): boolean { return performance.now() > this.until; }
  async take(): Promise<void> {
    await new Promise<void>((resolve) => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => { channel.port1.close(); resolve(); };
      channel.port2.postMessage(0);
    });
    this.until = performance.now() + kSlice;
  }
}

/** Offers `content` as a file. */
export function save(content: Blob, name: string): void {
  const link = h('a', { href: URL.createObjectURL(content), download: name });
  document.body.appendChild(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
