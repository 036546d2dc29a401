import { KeyState, platformOf, type Modifiers } from "./key-state.js";
import type { InputMessage } from "./messages.js";
import { Scope } from "./scope.js";
import { textDiff } from "./text-diff.js";

export interface KeyboardTarget {
  input(message: InputMessage): void;
  /** The person pasted: resolves when the guest's clipboard holds the text, throws when it does not. */
  paste(text: string): Promise<void>;
  /** The chord that leaves the viewer was pressed. */
  leave(): void;
}

/** Phone keyboards send no Backspace for an empty field, so it never is. */
const padding = " ".repeat(16);

/**
 * The keyboard over a hidden text field, which is what makes input methods, dead keys, phone keyboards and the paste event
 * work: keys that a page may see go out as keys, and what ends up in the field goes out as text.
 */
export class KeyboardInput {
  readonly #scope = new Scope();
  readonly #keys = new KeyState(platformOf(navigator.platform));
  /** While a paste is on its way to the guest, later input waits behind it. */
  #held: InputMessage[] | null = null;
  #pasteKey: InputMessage[] | null = null;
  #composing = false;
  #seen = padding;

  constructor(
    private readonly field: HTMLTextAreaElement,
    private readonly target: KeyboardTarget,
  ) {
    const { on } = { on: this.#scope.on.bind(this.#scope) };
    on<KeyboardEvent>(field, "keydown", (event) => this.#down(event));
    on<KeyboardEvent>(field, "keyup", (event) => this.#up(event));
    on<ClipboardEvent>(field, "paste", (event) => this.#pasted(event));
    on(field, "compositionstart", () => (this.#composing = true));
    on(field, "compositionend", () => {
      this.#composing = false;
      this.#flushText();
    });
    on(field, "input", () => {
      // A phone composes every word: its letters should not wait for the end.
      if (!this.#composing || matchMedia("(pointer: coarse)").matches) this.#flushText();
    });
    on(field, "blur", () => this.release());
    on(window, "blur", () => this.release());
    on(document, "visibilitychange", () => {
      if (document.hidden) this.release();
    });
    this.#resetField();
  }

  release(): void {
    this.#send(this.#keys.releaseAll());
    this.#resetField();
  }

  sync(modifiers: Modifiers): void {
    this.#send(this.#keys.sync(modifiers));
  }

  /** Sends messages in their place among the typed ones. */
  send(messages: InputMessage[]): void {
    this.#send(messages);
  }

  close(): void {
    this.release();
    this.#scope.close();
  }

  #down(event: KeyboardEvent): void {
    this.#flushPasteKey();
    const { messages, handled } = this.#keys.down(event);
    if (event.code === "KeyV" && (event.ctrlKey || event.metaKey) && !event.altKey && messages.length > 0) {
      // Left to the browser, which now fires `paste`: that gives the text without asking for a permission.
      this.#pasteKey = messages;
      return;
    }
    if (handled) {
      event.preventDefault();
      event.stopPropagation();
    }
    this.#send(messages);
  }

  #up(event: KeyboardEvent): void {
    this.#flushPasteKey();
    const { messages, handled, leave } = this.#keys.up(event);
    if (handled) {
      event.preventDefault();
      event.stopPropagation();
    }
    this.#send(messages);
    if (leave) this.target.leave();
  }

  #pasted(event: ClipboardEvent): void {
    event.preventDefault();
    const text = event.clipboardData?.getData("text/plain") ?? "";
    const key = this.#pasteKey ?? [];
    this.#pasteKey = null;
    if (text === "" || this.#held) {
      this.#send(key);
      return;
    }
    this.#held = [];
    void this.target.paste(text).then(
      () => this.#letGo(key),
      // Without the key: it would paste whatever the guest's clipboard held before.
      () => this.#letGo([]),
    );
  }

  #letGo(first: InputMessage[]): void {
    const messages = [...first, ...(this.#held ?? [])];
    this.#held = null;
    this.#send(messages);
  }

  #flushPasteKey(): void {
    const messages = this.#pasteKey;
    this.#pasteKey = null;
    if (messages) this.#send(messages);
  }

  #flushText(): void {
    this.#send(textDiff(this.#seen, this.field.value));
    this.#seen = this.field.value;
    if (!this.#composing && (this.#seen.length > 200 || this.#seen.length < padding.length)) this.#resetField();
  }

  #resetField(): void {
    this.field.value = padding;
    this.#seen = padding;
    this.field.setSelectionRange(padding.length, padding.length);
  }

  #send(messages: InputMessage[]): void {
    if (this.#held) this.#held.push(...messages);
    else for (const message of messages) this.target.input(message);
  }
}
