/** Light or dark: by the reader's preference until the button says otherwise. */

const listeners: (() => void)[] = [];

/** Calls `listener` when colours change: canvases hold no style sheet. */
export function onColours(listener: () => void): void { listeners.push(listener); }
const tell = (): void => { for (const listener of listeners) listener(); };

const preference = matchMedia('(prefers-color-scheme: dark)');
preference.addEventListener('change', tell);
matchMedia('print').addEventListener('change', tell);

export const dark = (): boolean =>
  (document.documentElement.dataset['theme'] ?? (preference.matches ? 'dark' : 'light')) === 'dark';

export function switchTheme(): void {
  document.documentElement.dataset['theme'] = dark() ? 'light' : 'dark';
  tell();
}

/** A colour of the style sheet as 0xRRGGBB. */
export function colour(variable: string): number {
  const text = getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
  return parseInt(text.slice(1), 16);
}

export const css = (rgb: number): string => `#${rgb.toString(16).padStart(6, '0')}`;

/** Okabe and Ito's palette without black: told apart with every kind of colour vision. */
export const kPalette = [0x0072b2, 0xe69f00, 0x009e73, 0xcc79a7, 0x56b4e9, 0xd55e00, 0xf0e442] as const;
