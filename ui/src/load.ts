/**
 * Brings the document and its bulk numbers out of the page. Large texts sit in blocks of their own behind
 * the script, so that the head of the page shows before they have arrived: a text "@3" stands for block 3.
 * Blocks are base64, deflated where that pays.
 */
import { Breath } from './dom';
import type { ColumnData, Document, EmbeddedRun } from './model';

type WithBase64 = typeof Uint8Array & { fromBase64?: (text: string) => Uint8Array };

const kPiece = 1 << 18;  // characters decoded at once; a multiple of 4

/** base64 to bytes, in pieces. */
async function fromBase64(text: string): Promise<Uint8Array> {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  const native = (Uint8Array as WithBase64).fromBase64;
  const breath = new Breath();
  for (let from = 0, at = 0; from < text.length; from += kPiece) {
    const piece = text.slice(from, from + kPiece);
    if (native) {
      const decoded = native.call(Uint8Array, piece);
      bytes.set(decoded, at);
      at += decoded.length;
    } else {
      const decoded = atob(piece);
      for (let i = 0; i < decoded.length; ++i) bytes[at++] = decoded.charCodeAt(i);
    }
    if (breath.due()) await breath.take();
  }
  return bytes;
}

async function inflate(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function blockBytes(element: Element): Promise<Uint8Array> {
  const bytes = await fromBase64((element.textContent ?? '').trim());
  return element.getAttribute('data-encoding') === 'deflate' ? inflate(bytes) : bytes;
}

const complete: Promise<void> = new Promise((resolve) => {
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', () => resolve(), { once: true });
  else resolve();
});

async function bytesOf(data: string): Promise<Uint8Array> {
  if (!data.startsWith('@')) return fromBase64(data);
  await complete;
  const element = document.getElementById(`neurolens-block-${data.slice(1)}`);
  if (!element) throw new Error('a block of this report is missing; was the file cut short?');
  return blockBytes(element);
}

export type Numbers = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** A column as it was stored: differences are not summed, missing entries not replaced. */
export async function stored(column: ColumnData): Promise<Numbers> {
  const bytes = await bytesOf(column.data);
  const width = { u8: 1, u16: 2, u32: 4, f64: 8 }[column.type];
  if (bytes.length !== column.length * width) throw new Error('a column of this report has the wrong length');
  const { buffer } = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  const at = bytes.byteOffset % width === 0 ? bytes.byteOffset : 0;
  switch (column.type) {
    case 'u8': return bytes;
    case 'u16': return new Uint16Array(buffer, at, column.length);
    case 'u32': return new Uint32Array(buffer, at, column.length);
    default: return new Float64Array(buffer, at, column.length);
  }
}

/** What stands for a missing entry in a column of this type. */
export const missing = (type: ColumnData['type']): number =>
  ({ u8: 0xff, u16: 0xffff, u32: 0xffffffff, f64: NaN })[type];

/** A column as values; what is missing is NaN. */
export async function values(column: ColumnData): Promise<Float64Array> {
  const raw = await stored(column);
  const out = new Float64Array(raw.length);
  const none = column.delta ? NaN : missing(column.type);
  let sum = 0;
  for (let i = 0; i < raw.length; ++i) {
    const value = raw[i] as number;
    sum = column.delta ? sum + value : value;
    out[i] = value === none ? NaN : sum;
  }
  return out;
}

export async function runFile(run: EmbeddedRun): Promise<Blob> {
  return new Blob([(await bytesOf(run.data)) as Uint8Array<ArrayBuffer>], { type: run.media_type });
}

/** The document embedded in this page; null when the page was served without one. */
export async function embedded(): Promise<Document | null> {
  const element = document.getElementById('neurolens-document');
  if (!element) return null;
  const text = element.hasAttribute('data-encoding')
    ? new TextDecoder().decode(await blockBytes(element)) : (element.textContent ?? '');
  return JSON.parse(text) as Document;
}
