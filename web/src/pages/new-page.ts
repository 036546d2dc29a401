import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Reason } from "@oriel/desktop/internal";
import { api, asError } from "../api/client.js";
import { go } from "../route.js";
import { bytes } from "../ui/format.js";
import { icon } from "../ui/icons.js";
import { base64, FieldError, requestOf, type NewDesktopForm, type UploadedFile } from "../ui/request.js";
import { base } from "../ui/styles.js";
import "../ui/failure-card.js";

const layouts = [
  "us",
  "gb",
  "de",
  "fr",
  "ch",
  "es",
  "it",
  "pt",
  "br",
  "nl",
  "be",
  "dk",
  "no",
  "se",
  "fi",
  "pl",
  "cz",
  "hu",
  "tr",
  "ru",
  "ua",
  "gr",
  "jp",
];
const sizes = ["1280x720", "1600x900", "1920x1080", "2560x1440"];

/** Uploads travel inside the create request; larger files go by `PUT …/files` afterwards. */
const mostUpload = 8 * 1024 * 1024;

type TextField = Exclude<keyof NewDesktopForm, "mode">;

const emptyForm: NewDesktopForm = {
  name: "",
  width: "",
  height: "",
  startUrl: "",
  env: "",
  mode: "internet",
  allow: "",
  deny: "",
  upstream: "",
  ttlMinutes: "",
  idleMinutes: "",
  hostname: "",
  timeZone: "",
  keyboardLayout: "",
  trust: "",
};

/** The form of a new desktop: every field may stay empty. */
export class NewPage extends LitElement {
  static override properties = {
    form: { state: true },
    files: { state: true },
    wrong: { state: true },
    failure: { state: true },
    busy: { state: true },
  };
  declare form: NewDesktopForm;
  declare files: Array<UploadedFile & { size: number }>;
  declare wrong: FieldError | null;
  declare failure: Reason | null;
  declare busy: boolean;

  static override styles = [
    base,
    css`
      :host {
        max-width: 720px;
        margin: 0 auto;
      }
      h1 {
        margin: 8px 0 18px;
      }
      form,
      section,
      .field {
        grid-template-columns: minmax(0, 1fr);
      }
      form {
        display: grid;
        gap: 18px;
      }
      section {
        padding: 20px;
        display: grid;
        gap: 16px;
      }
      .two {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(220px, 100%), 1fr));
        gap: 16px;
      }
      .modes {
        display: grid;
        gap: 10px;
        border: 0;
        padding: 0;
        margin: 0;
      }
      .modes label {
        display: flex;
        gap: 10px;
        align-items: baseline;
        font-weight: 500;
        font-size: 14px;
        cursor: pointer;
      }
      .modes small {
        display: block;
        color: var(--muted);
        font-size: 13px;
      }
      .wrong {
        color: var(--bad);
        font-size: 13px;
      }
      [aria-invalid="true"] {
        border-color: var(--bad);
      }
      .sizes {
        display: flex;
        gap: 6px;
        flex-wrap: wrap;
      }
      .sizes button {
        min-height: 30px;
        padding: 2px 10px;
        font-size: 13px;
        font-weight: 500;
      }
      .sizes button[aria-pressed="true"] {
        color: var(--accent-strong);
        background: var(--accent-soft);
        border-color: transparent;
      }
      .pair {
        display: grid;
        grid-template-columns: 1fr auto 1fr;
        gap: 8px;
        align-items: center;
      }
      ul {
        list-style: none;
        margin: 0;
        padding: 0;
        display: grid;
        gap: 8px;
      }
      li {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 66px auto auto;
        gap: 8px;
        align-items: center;
      }
      .drop {
        display: grid;
        place-items: center;
        gap: 6px;
        padding: 18px;
        border: 1.5px dashed var(--line);
        border-radius: var(--radius-small);
        color: var(--muted);
        font-size: 14px;
        text-align: center;
      }
      .drop:focus-within {
        outline: 2px solid var(--focus);
        outline-offset: 2px;
      }
      .drop label {
        min-height: 34px;
        font-size: 14px;
      }
      summary {
        cursor: pointer;
        font-weight: 600;
        padding: 4px 0;
      }
      details > div {
        display: grid;
        gap: 16px;
        padding-top: 14px;
      }
      .end {
        justify-content: flex-end;
      }
    `,
  ];

  constructor() {
    super();
    this.form = emptyForm;
    this.files = [];
    this.wrong = null;
    this.failure = null;
    this.busy = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = "New desktop · Oriel";
  }

  async #create(): Promise<void> {
    if (this.busy) return;
    this.wrong = null;
    this.failure = null;
    try {
      const request = requestOf(this.form, this.files);
      this.busy = true;
      const desktop = await api.create(request);
      go(`/desktops/${desktop.id}`);
    } catch (error) {
      if (error instanceof FieldError) await this.#showWrong(error);
      else {
        const { reason, message, details } = asError(error);
        this.failure = { ...details, code: reason, message };
      }
    } finally {
      this.busy = false;
    }
  }

  async #showWrong(error: FieldError): Promise<void> {
    this.wrong = error;
    await this.updateComplete;
    const field = this.renderRoot.querySelector<HTMLElement>(`#${error.field}`);
    field?.closest("details")?.setAttribute("open", "");
    field?.focus();
  }

  async #addFiles(list: FileList | null | undefined): Promise<void> {
    for (const file of list ?? []) {
      const total = this.files.reduce((sum, { size }) => sum + size, file.size);
      if (total > mostUpload) {
        this.wrong = new FieldError("files", `At most ${bytes(mostUpload)} altogether; put larger files there once the desktop runs.`);
        return;
      }
      try {
        const content = base64(new Uint8Array(await file.arrayBuffer()));
        this.files = [...this.files, { path: `/home/user/${file.name}`, content, mode: "0644", size: file.size }];
      } catch (error) {
        this.wrong = new FieldError("files", `${file.name} cannot be read: ${asError(error).message}`);
        return;
      }
    }
  }

  #set(change: Partial<NewDesktopForm>): void {
    this.form = { ...this.form, ...change };
  }

  override render(): TemplateResult {
    return html`
      <h1>New desktop</h1>
      ${this.failure ? html`<failure-card .reason=${this.failure} ?busy=${this.busy} @next-step=${() => void this.#create()}></failure-card><br />` : nothing}
      <form
        novalidate
        @submit=${(event: Event) => {
          event.preventDefault();
          void this.#create();
        }}
      >
        ${this.#look()} ${this.#network()} ${this.#contents()}
        <div class="row end">
          <a class="button quiet" href="/">Cancel</a>
          <button class="primary" type="submit" data-testid="create" ?disabled=${this.busy}>
            ${this.busy ? "Creating…" : "Create desktop"}
          </button>
        </div>
      </form>
    `;
  }

  #text(field: TextField, label: string, placeholder = "", help: unknown = nothing, list?: string): TemplateResult {
    return html`<div class="field">
      <label for=${field}>${label}</label>
      <input
        id=${field}
        .value=${this.form[field]}
        placeholder=${placeholder}
        list=${list ?? nothing}
        inputmode=${["width", "height", "ttlMinutes", "idleMinutes"].includes(field) ? "numeric" : nothing}
        autocomplete="off"
        autocapitalize="none"
        spellcheck="false"
        aria-invalid=${this.wrong?.field === field ? "true" : nothing}
        aria-describedby="${field}-help"
        @input=${(event: Event) => this.#set({ [field]: (event.target as HTMLInputElement).value })}
      />
      ${this.#help(field, help)}
    </div>`;
  }

  #area(field: TextField, label: string, placeholder: string, help: unknown = nothing): TemplateResult {
    return html`<div class="field">
      <label for=${field}>${label}</label>
      <textarea
        id=${field}
        .value=${this.form[field]}
        placeholder=${placeholder}
        spellcheck="false"
        autocapitalize="none"
        aria-invalid=${this.wrong?.field === field ? "true" : nothing}
        aria-describedby="${field}-help"
        @input=${(event: Event) => this.#set({ [field]: (event.target as HTMLTextAreaElement).value })}
      ></textarea>
      ${this.#help(field, help)}
    </div>`;
  }

  #help(field: string, help: unknown): TemplateResult | typeof nothing {
    if (this.wrong?.field === field) return html`<small class="wrong" role="alert" id="${field}-help">${this.wrong.message}</small>`;
    return help === nothing ? nothing : html`<small id="${field}-help">${help}</small>`;
  }

  #look(): TemplateResult {
    const { width, height } = this.form;
    const size = `${width || "1280"}x${height || "720"}`;
    const windowSize = `${2 * Math.floor(innerWidth / 2)}x${2 * Math.floor((innerHeight - 46) / 2)}`;
    const choose = (value: string) => {
      const [w = "", h = ""] = value.split("x");
      this.#set({ width: w, height: h });
    };
    return html`<section class="card">
      <div class="two">${this.#text("name", "Name", "research")} ${this.#text("startUrl", "Start page", "https://example.org")}</div>
      <div class="field">
        <label for="width">Size</label>
        <div class="sizes">
          ${[...sizes, windowSize].map(
            (value) =>
              html`<button type="button" aria-pressed=${String(value === size)} @click=${() => choose(value)}>
                ${value === windowSize ? "This window" : value.replace("x", " × ")}
              </button>`,
          )}
        </div>
        <div class="pair">${this.#text("width", "Width", "1280")}<span class="muted">×</span>${this.#text("height", "Height", "720")}</div>
      </div>
    </section>`;
  }

  #network(): TemplateResult {
    const mode = this.form.mode;
    const option = (value: NewDesktopForm["mode"], title: string, text: string) =>
      html`<label>
        <input type="radio" name="mode" .checked=${mode === value} @change=${() => this.#set({ mode: value })} /><span
          >${title}<small>${text}</small></span
        >
      </label>`;
    return html`<section class="card">
      <h2 id="egress-title">What it may reach</h2>
      <fieldset class="modes" aria-labelledby="egress-title">
        ${option("internet", "The internet", "Every public address; never this server's own network.")}
        ${option("list", "Only a list", "Hosts that are named here, nothing else.")}
        ${option("none", "Nothing", "No connection leaves the desktop.")}
      </fieldset>
      ${mode === "list" ? this.#area("allow", "Allow", "*.example.org\nexample.com:443", "One a line; ports after a colon.") : nothing}
      ${mode === "none" ? nothing : this.#area("deny", "Deny", "ads.example.com", "Wins over what is allowed.")}
    </section>`;
  }

  #contents(): TemplateResult {
    return html`<section class="card">
      <h2>What is in it</h2>
      ${this.#upload()} ${this.#area("env", "Environment", "NAME=value", "One variable a line, for the session, logins and exec.")}
      <details>
        <summary>More settings</summary>
        <div>
          <div class="two">
            ${this.#text("ttlMinutes", "Lives for (minutes)", "until destroyed")}
            ${this.#text("idleMinutes", "Ends when idle for (minutes)", "never")} ${this.#text("hostname", "Host name", "desktop")}
            ${this.#text("timeZone", "Time zone", Intl.DateTimeFormat().resolvedOptions().timeZone, nothing, "zones")}
            <div class="field">
              <label for="keyboardLayout">Keyboard layout</label>
              <select
                id="keyboardLayout"
                @change=${(event: Event) => this.#set({ keyboardLayout: (event.target as HTMLSelectElement).value })}
              >
                <option value="">Default</option>
                ${layouts.map((name) => html`<option value=${name}>${name}</option>`)}
              </select>
            </div>
            ${this.form.mode === "none" ? nothing : this.#text("upstream", "Upstream proxy", "http://user:password@host:3128")}
          </div>
          ${this.#area("trust", "Trusted certificates", "-----BEGIN CERTIFICATE-----", "PEM; the desktop's programs and browser trust these authorities as well.")}
          <datalist id="zones">${Intl.supportedValuesOf("timeZone").map((zone) => html`<option value=${zone}></option>`)}</datalist>
        </div>
      </details>
    </section>`;
  }

  #upload(): TemplateResult {
    const change = (index: number, change: Partial<UploadedFile>) =>
      (this.files = this.files.map((file, at) => (at === index ? { ...file, ...change } : file)));
    const drop = (event: DragEvent) => {
      event.preventDefault();
      void this.#addFiles(event.dataTransfer?.files);
    };
    return html`<div class="field">
      <b class="small">Files</b>
      <div class="drop" @dragover=${(event: Event) => event.preventDefault()} @drop=${drop}>
        Drop files here, or
        <label class="button" for="files">Choose files…</label>
        <input
          id="files"
          class="visually-hidden"
          type="file"
          multiple
          data-testid="files"
          aria-describedby="files-help"
          @change=${(event: Event) => void this.#addFiles((event.target as HTMLInputElement).files)}
        />
      </div>
      ${this.#help("files", nothing)}
      <ul>
        ${this.files.map(
          (file, index) =>
            html`<li>
              <input
                aria-label="Path"
                .value=${file.path}
                @input=${(event: Event) => change(index, { path: (event.target as HTMLInputElement).value })}
              />
              <input
                aria-label="Mode"
                .value=${file.mode}
                @input=${(event: Event) => change(index, { mode: (event.target as HTMLInputElement).value })}
              />
              <span class="muted small">${bytes(file.size)}</span>
              <button
                type="button"
                class="quiet"
                aria-label="Remove ${file.path}"
                @click=${() => (this.files = this.files.filter((_, at) => at !== index))}
              >
                ${icon("close")}
              </button>
            </li>`,
        )}
      </ul>
    </div>`;
  }
}

customElements.define("new-page", NewPage);
