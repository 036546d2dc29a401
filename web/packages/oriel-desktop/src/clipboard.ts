import { ClipboardTooLong, isTooLong } from "./clipboard-pieces.js";
import { Scope } from "./scope.js";

export interface ClipboardTarget {
  /** Resolves when the guest has it; throws when it did not get there. */
  toGuest(text: string): Promise<void>;
  /** Whether the person works in the viewer now. */
  focused(): boolean;
  /** The person's text is too long for the guest. */
  tooLong(): void;
}

/**
 * Keeps the page's and the guest's clipboard the same as far as the browser lets a page: writing needs focus, reading a permission
 * that is never asked for unasked (`allow` asks). Pasting by key needs none of it, see KeyboardInput.
 */
export class ClipboardSync {
  readonly #scope = new Scope();
  #guest: string | null = null;
  #unwritten: string | null = null;
  #sent: string | null = null;

  constructor(private readonly target: ClipboardTarget) {
    this.#scope.on(window, "focus", () => void this.exchange());
  }

  /** The guest's newest text. */
  get guestText(): string {
    return this.#guest ?? "";
  }

  async fromGuest(text: string): Promise<void> {
    this.#guest = text;
    this.#sent = text;
    this.#unwritten = text;
    await this.#write();
  }

  async toGuest(text: string): Promise<void> {
    // Also of one that is refused: it would be offered again at each focus.
    this.#sent = text;
    if (isTooLong(text)) {
      this.target.tooLong();
      throw new ClipboardTooLong();
    }
    try {
      await this.target.toGuest(text);
    } catch (error) {
      if (this.#sent === text) this.#sent = null;
      throw error;
    }
  }

  /** On focus and on a press in the picture: write what waits, and read if that is allowed already. */
  async exchange(): Promise<void> {
    if (this.#unwritten !== null) {
      await this.#write();
      return;
    }
    if (this.target.focused() && (await permission()) === "granted") await this.#read();
  }

  /** Asks for the permission to read (needs a click); answers whether the clipboards are now the same by themselves. */
  async allow(): Promise<boolean> {
    return this.#read();
  }

  close(): void {
    this.#scope.close();
  }

  async #read(): Promise<boolean> {
    try {
      const text = await navigator.clipboard.readText();
      if (text !== "" && text !== this.#sent) await this.toGuest(text);
      return true;
    } catch {
      return false;
    }
  }

  async #write(): Promise<void> {
    const text = this.#unwritten;
    if (text === null || !document.hasFocus() || !this.target.focused()) return;
    try {
      await navigator.clipboard.writeText(text);
      if (this.#unwritten === text) this.#unwritten = null;
    } catch {
      // No permission or no secure context: the panel shows the text, and the next press tries again.
    }
  }
}

async function permission(): Promise<PermissionState> {
  try {
    return (await navigator.permissions.query({ name: "clipboard-read" as PermissionName })).state;
  } catch {
    return "prompt";
  }
}
