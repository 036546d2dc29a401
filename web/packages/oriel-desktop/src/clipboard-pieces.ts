/** Clipboard text in messages: a data channel message is bounded, so that a long text goes in pieces, all but the last marked `more`. */

/** Longest text passed on, in bytes of UTF-8. */
export const mostBytes = 1024 * 1024;

/** Longest piece, in UTF-16 units. */
export const mostPiece = 32_768;

export interface ClipboardPiece {
  t: "clipboard";
  text: string;
  more?: true;
  id?: number;
}

export class ClipboardTooLong extends Error {
  constructor() {
    super("The text has more than 1 MiB.");
  }
}

/** Whether a text is passed on: whole, or not at all. */
export function isTooLong(text: string): boolean {
  // A unit has one to three bytes: only what lies between needs counting.
  return text.length > mostBytes || (text.length * 3 > mostBytes && new TextEncoder().encode(text).length > mostBytes);
}

/** Never cuts between the halves of a surrogate pair, which would not survive UTF-8. */
export function toPieces(text: string): ClipboardPiece[] {
  const pieces: ClipboardPiece[] = [];
  let start = 0;
  do {
    const end = safeEnd(text, start, mostPiece);
    const piece: ClipboardPiece = { t: "clipboard", text: text.slice(start, end) };
    if (end < text.length) piece.more = true;
    pieces.push(piece);
    start = end;
  } while (start < text.length);
  return pieces;
}

/** Puts pieces together. A text that grows beyond the bound is thrown away whole. */
export class PieceJoiner {
  #text = "";
  #tooLong = false;

  /** Answers the whole text with its last piece, else null. */
  add(text: string, more: boolean): string | null {
    if (this.#text.length + text.length > mostBytes) this.#tooLong = true;
    this.#text = this.#tooLong ? "" : this.#text + text;
    if (more) return null;
    const whole = this.#tooLong ? null : this.#text;
    this.#text = "";
    this.#tooLong = false;
    return whole;
  }
}

function safeEnd(text: string, start: number, length: number): number {
  const end = Math.min(text.length, start + length);
  if (end === text.length) return end;
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff ? end - 1 : end;
}
