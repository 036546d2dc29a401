import type { InputMessage } from "./messages.js";

/** What this needs of a KeyboardEvent or PointerEvent's modifiers. */
export interface Modifiers {
  ctrlKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  metaKey: boolean;
  getModifierState?(name: string): boolean;
}

export interface KeyLike extends Modifiers {
  code: string;
  key: string;
  repeat: boolean;
  isComposing: boolean;
  keyCode?: number;
}

export interface KeyResult {
  messages: InputMessage[];
  /** The event is used up: the page must not act on it. */
  handled: boolean;
  /** The chord that gives the keyboard back to the page was pressed. */
  leave?: boolean;
}

export type Platform = "mac" | "windows" | "other";

interface Sent {
  code: string;
  key: string;
}

const locks = new Set(["CapsLock", "NumLock", "ScrollLock"]);

/** Keys that a phone's keyboard sends without a code. */
const namedKeys = new Set([
  "Enter",
  "Backspace",
  "Tab",
  "Escape",
  "Delete",
  "Home",
  "End",
  "PageUp",
  "PageDown",
  "ArrowUp",
  "ArrowDown",
  "ArrowLeft",
  "ArrowRight",
]);

const modifierOf: Record<string, "ctrlKey" | "altKey" | "shiftKey" | "metaKey"> = {
  ControlLeft: "ctrlKey",
  ControlRight: "ctrlKey",
  AltLeft: "altKey",
  AltRight: "altKey",
  ShiftLeft: "shiftKey",
  ShiftRight: "shiftKey",
  MetaLeft: "metaKey",
  MetaRight: "metaKey",
};

/**
 * Turns key events into the guest's: remembers what is held, so that nothing can stay pressed, and knows the platforms' quirks.
 * Text of input methods and dead keys does not pass here (it is not `handled`, and comes back as text).
 * The browser's repeats go out: the guest repeats nothing by itself, since a late release would then type on. Lock keys are not sent:
 * their effect is in `key`.
 */
export class KeyState {
  readonly #held = new Map<string, Sent>();
  #chord = false;

  constructor(private readonly platform: Platform = "other") {}

  get held(): readonly string[] {
    return [...this.#held.keys()];
  }

  down(event: KeyLike): KeyResult {
    if (event.isComposing || event.keyCode === 229 || event.key === "Process" || event.key === "Dead") {
      return { messages: [], handled: false };
    }
    if (event.code === "") return this.#withoutCode(event);
    if (locks.has(event.key)) return { messages: [], handled: false };

    const messages = this.#lift(this.#stale(event, event.code));
    const held = this.#held.get(event.code);
    if (held) {
      if (event.repeat && !modifierOf[event.code]) messages.push({ t: "key", ...held, down: true });
      return { messages, handled: true };
    }

    // Windows presses Control of itself before AltGr; the guest must not see it (Ctrl+@ is not @).
    if (event.key === "AltGraph" && this.platform === "windows" && this.#held.has("ControlLeft")) {
      messages.push(...this.#lift(["ControlLeft"]));
    }
    if (event.repeat && !modifierOf[event.code]) return { messages, handled: true };

    const sent = this.#translate(event);
    this.#held.set(event.code, sent);
    messages.push({ t: "key", ...sent, down: true });
    this.#chord = this.#isChord();
    return { messages, handled: true };
  }

  up(event: KeyLike): KeyResult {
    const leave = this.#chord && modifierOf[event.code] !== undefined;
    this.#chord = false;
    if (leave) return { messages: this.releaseAll(), handled: true, leave: true };
    const known = this.#held.has(event.code);
    const messages = known ? this.#lift([event.code]) : [];
    // macOS never reports the release of keys that go up while Command is down.
    if (this.platform === "mac" && modifierOf[event.code] === "metaKey") {
      messages.push(...this.#lift(this.held.filter((code) => !modifierOf[code])));
    }
    messages.push(...this.#lift(this.#stale(event, event.code)));
    return { messages, handled: known };
  }

  /** Lifts modifiers that an event shows to be up although their release was never seen. */
  sync(event: Modifiers): InputMessage[] {
    return this.#lift(this.#stale(event, ""));
  }

  /** Lifts everything; to be called on blur, when the page is hidden, and on disconnect. */
  releaseAll(): InputMessage[] {
    this.#chord = false;
    if (this.#held.size === 0) return [];
    return [...this.#lift(this.held), { t: "release" }];
  }

  #withoutCode(event: KeyLike): KeyResult {
    if (!namedKeys.has(event.key)) return { messages: [], handled: false };
    return { messages: press(event.key, event.key), handled: true };
  }

  #translate(event: KeyLike): Sent {
    if (this.platform === "mac") {
      // Command is where Control's hand is; Option makes characters, as AltGr does.
      if (event.code === "MetaLeft") return { code: "ControlLeft", key: "Control" };
      if (event.code === "MetaRight") return { code: "ControlRight", key: "Control" };
      if (event.code === "AltLeft" || event.code === "AltRight") return { code: "AltRight", key: "AltGraph" };
    }
    return { code: event.code, key: event.key };
  }

  #stale(event: Modifiers, except: string): string[] {
    return this.held.filter((code) => {
      const flag = modifierOf[code];
      if (!flag || code === except) return false;
      if (this.#held.get(code)?.key === "AltGraph" && event.getModifierState?.("AltGraph")) return false;
      return !event[flag];
    });
  }

  #lift(codes: readonly string[]): InputMessage[] {
    const messages: InputMessage[] = [];
    for (const code of codes) {
      const sent = this.#held.get(code);
      if (!sent) continue;
      this.#held.delete(code);
      messages.push({ t: "key", ...sent, down: false });
    }
    return messages;
  }

  #isChord(): boolean {
    const kinds = new Set(this.held.map((code) => modifierOf[code]));
    return kinds.size === 3 && kinds.has("ctrlKey") && kinds.has("altKey") && kinds.has("shiftKey");
  }
}

/** A key pressed and released. */
export function press(code: string, key: string): InputMessage[] {
  return [
    { t: "key", code, key, down: true },
    { t: "key", code, key, down: false },
  ];
}

/** Several keys pressed in order and released in reverse, e.g. Control, Alt, Delete. */
export function chord(keys: ReadonlyArray<{ code: string; key: string }>): InputMessage[] {
  return [
    ...keys.map(({ code, key }): InputMessage => ({ t: "key", code, key, down: true })),
    ...[...keys].reverse().map(({ code, key }): InputMessage => ({ t: "key", code, key, down: false })),
  ];
}

export function platformOf(name: string): Platform {
  if (/mac|iphone|ipad/i.test(name)) return "mac";
  return /win/i.test(name) ? "windows" : "other";
}
