import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import sheet from "@xterm/xterm/css/xterm.css?inline";

/** What stands in the place of a style element, which the page's Content-Security-Policy would not let work. */
const inertStyle = "terminal-style";

export interface ScreenEvents {
  typed(bytes: Uint8Array): void;
  resized(columns: number, rows: number): void;
}

/** Xterm in a shadow tree: its own style sheets become constructed ones. Loaded when a terminal is first asked for. */
export class TerminalScreen {
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #sheets = new Map<Element | null, CSSStyleSheet>();
  readonly #watching: MutationObserver;
  readonly #sizing: ResizeObserver;

  constructor(
    private readonly root: ShadowRoot,
    place: HTMLElement,
    events: ScreenEvents,
  ) {
    const encoder = new TextEncoder();
    this.#terminal = new Terminal({
      documentOverride: inertStyles(document),
      fontFamily: "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace",
      fontSize: 14,
      scrollback: 5000,
      theme: { background: "#14161c", foreground: "#e8eaf2" },
    });
    this.#add(null).replaceSync(sheet);
    this.#watching = new MutationObserver(() => this.#adopt(place));
    this.#watching.observe(place, { subtree: true, childList: true, characterData: true });
    this.#terminal.loadAddon(this.#fit);
    openInertly(this.#terminal, place);
    this.#adopt(place);
    this.#fit.fit();
    this.#terminal.onData((text) => events.typed(encoder.encode(text)));
    this.#terminal.onBinary((text) => events.typed(Uint8Array.from(text, (character) => character.charCodeAt(0))));
    this.#terminal.onResize(({ cols, rows }) => events.resized(cols, rows));
    this.#sizing = new ResizeObserver(() => this.#fit.fit());
    this.#sizing.observe(place);
  }

  get columns(): number {
    return this.#terminal.cols;
  }

  get rows(): number {
    return this.#terminal.rows;
  }

  write(output: Uint8Array | string): void {
    this.#terminal.write(output);
  }

  focus(): void {
    this.#terminal.focus();
  }

  close(): void {
    this.#watching.disconnect();
    this.#sizing.disconnect();
    this.#terminal.dispose();
    const ours = new Set(this.#sheets.values());
    this.root.adoptedStyleSheets = this.root.adoptedStyleSheets.filter((adopted) => !ours.has(adopted));
  }

  #adopt(place: HTMLElement): void {
    for (const style of place.querySelectorAll(inertStyle)) {
      (this.#sheets.get(style) ?? this.#add(style)).replaceSync(style.textContent ?? "");
    }
  }

  #add(style: Element | null): CSSStyleSheet {
    const added = new CSSStyleSheet();
    this.#sheets.set(style, added);
    this.root.adoptedStyleSheets.push(added);
    return added;
  }
}

/** Makes style elements inert, and sets a style attribute as the policy lets it be set. */
function create(tag: string): HTMLElement {
  const element = Document.prototype.createElement.call(document, tag === "style" ? inertStyle : tag);
  element.setAttribute = (name, value) => {
    if (name === "style") element.style.cssText = value;
    else Element.prototype.setAttribute.call(element, name, value);
  };
  return element;
}

/** The document, but that it creates elements so. */
function inertStyles(page: Document): Document {
  return new Proxy(page, {
    get(target, name) {
      if (name === "createElement") return create;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value as (...values: unknown[]) => unknown).bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  });
}

/** While it opens, xterm asks the window's own document as well, whatever it was given (6.0). */
function openInertly(terminal: Terminal, place: HTMLElement): void {
  document.createElement = create as typeof document.createElement;
  try {
    terminal.open(place);
  } finally {
    delete (document as { createElement?: unknown }).createElement;
  }
}
