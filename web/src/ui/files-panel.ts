import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { api, asError, desktopUrl } from "../api/client.js";
import { followFeed } from "../api/feed.js";
import type { FileEntry } from "../api/types.js";
import { upload } from "../api/upload.js";
import "./confirm-dialog.js";
import type { ConfirmDialog } from "./confirm-dialog.js";
import { join, parents, sorted } from "./file-paths.js";
import { bytes } from "./format.js";
import { icon } from "./icons.js";
import { base } from "./styles.js";

const home = "/home/user";

/** The files of the desktop: looked at, fetched, put there by button or by dropping them, and seen to change. */
export class FilesPanel extends LitElement {
  static override properties = {
    desktopId: { attribute: false },
    path: { state: true },
    entries: { state: true },
    problem: { state: true },
    busy: { state: true },
    dropping: { state: true },
  };
  declare desktopId: string;
  declare path: string;
  /** Null before the first answer. */
  declare entries: readonly FileEntry[] | null;
  declare problem: string | null;
  /** What is going on, for somebody who waits. */
  declare busy: string | null;
  declare dropping: boolean;
  #watch: AbortController | null = null;

  static override styles = [
    base,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
      }
      nav,
      .actions {
        display: flex;
        align-items: center;
        flex-wrap: wrap;
        gap: 2px;
        padding: 8px 10px 0;
      }
      nav button {
        min-height: 30px;
        padding: 2px 6px;
        font-family: var(--mono);
        font-size: 13px;
        overflow-wrap: anywhere;
      }
      .actions {
        gap: 8px;
        padding: 8px 16px;
      }
      ul {
        flex: 1;
        min-height: 0;
        overflow: auto;
        margin: 0;
        padding: 0 8px 12px;
        list-style: none;
      }
      li {
        display: flex;
        align-items: center;
      }
      li > button:first-child {
        flex: 1;
        min-width: 0;
        justify-content: flex-start;
        font-weight: 400;
      }
      .name {
        flex: 1;
        min-width: 0;
        text-align: left;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .size {
        font-variant-numeric: tabular-nums;
        white-space: nowrap;
      }
      p {
        padding: 6px 16px;
      }
      :host([dropping]) {
        outline: 2px dashed var(--focus);
        outline-offset: -6px;
      }
    `,
  ];

  constructor() {
    super();
    this.desktopId = "";
    this.path = home;
    this.entries = null;
    this.problem = null;
    this.busy = null;
    this.dropping = false;
    this.addEventListener("dragover", (event) => {
      event.preventDefault();
      this.dropping = true;
    });
    this.addEventListener("dragleave", () => (this.dropping = false));
    this.addEventListener("drop", (event) => {
      event.preventDefault();
      this.dropping = false;
      void this.#put([...(event.dataTransfer?.files ?? [])]);
    });
  }

  override disconnectedCallback(): void {
    this.#watch?.abort();
    super.disconnectedCallback();
  }

  override updated(changed: PropertyValues<this>): void {
    this.toggleAttribute("dropping", this.dropping);
    if (this.desktopId !== "" && (changed.has("desktopId") || changed.has("path"))) this.#open();
  }

  override render(): TemplateResult {
    return html`
      <nav aria-label="Path">
        ${parents(this.path).map(
          ({ name, path }) => html`<button class="quiet" data-testid="files-parent" @click=${() => (this.path = path)}>${name}</button>`,
        )}
      </nav>
      <div class="actions">
        <button data-testid="files-upload" @click=${() => this.#input?.click()}>Upload…</button>
        <button data-testid="files-folder" @click=${() => void this.#fetchFolder()}>Download folder</button>
        <input type="file" multiple hidden @change=${() => void this.#put([...(this.#input?.files ?? [])])} />
      </div>
      ${this.busy ? html`<p class="small" role="status" data-testid="files-busy">${this.busy}</p>` : nothing}
      ${this.problem ? html`<p class="small" role="alert" data-testid="files-problem">${this.problem}</p>` : nothing}
      ${
        this.entries === null
          ? html`<p class="muted">Looking…</p>`
          : html`<ul data-testid="files-list">
              ${sorted(this.entries).map((entry) => this.#line(entry))}
            </ul>`
      }
      ${this.entries?.length === 0 ? html`<p class="muted">Nothing is in here. Files that you drop here come here.</p>` : nothing}
      <confirm-dialog></confirm-dialog>
    `;
  }

  get #input(): HTMLInputElement | null {
    return this.renderRoot.querySelector("input");
  }

  #line(entry: FileEntry): TemplateResult {
    const path = join(this.path, entry.name);
    const isFolder = entry.type === "directory";
    return html`<li data-name=${entry.name}>
      <button
        class="quiet"
        ?disabled=${entry.type === "other"}
        title=${isFolder ? "Open" : "Download"}
        @click=${() => (isFolder ? (this.path = path) : void this.#fetchFile(path, entry.name))}
      >
        ${icon(isFolder ? "folder" : "file")}<span class="name">${entry.name}</span>
        <span class="size muted small">${entry.type === "file" ? bytes(entry.size) : nothing}</span>
      </button>
      <button
        class="quiet square danger"
        aria-label=${`Remove ${entry.name}`}
        title="Remove"
        @click=${() => void this.#remove(path, entry)}
      >
        ${icon("trash")}
      </button>
    </li>`;
  }

  /** Shows the directory, and again whenever it changes. */
  #open(): void {
    this.#watch?.abort();
    this.#watch = new AbortController();
    const { signal } = this.#watch;
    this.entries = null;
    this.problem = null;
    void this.#list(signal);
    void followFeed(
      desktopUrl(this.desktopId, `/files/watch?path=${encodeURIComponent(this.path)}`),
      {
        event: () => void this.#list(signal),
        online: (_, error) => {
          if (error?.final && !signal.aborted) this.problem = error.message;
        },
      },
      signal,
    );
  }

  async #list(signal: AbortSignal): Promise<void> {
    try {
      const entries = await api.files(this.desktopId, this.path, signal);
      if (!signal.aborted) this.entries = entries;
    } catch (error) {
      if (signal.aborted) return;
      this.entries ??= [];
      this.problem = asError(error).message;
    }
  }

  async #put(files: readonly File[]): Promise<void> {
    const folder = this.path;
    await this.#work(async () => {
      for (const file of files) {
        await upload(
          this.desktopId,
          join(folder, file.name),
          file,
          (sent) => (this.busy = `${file.name}: ${bytes(sent)} of ${bytes(file.size)}`),
        );
      }
    });
    const input = this.#input;
    if (input) input.value = "";
  }

  #fetchFile(path: string, name: string): Promise<void> {
    return this.#fetch(`/files?path=${encodeURIComponent(path)}`, name);
  }

  #fetchFolder(): Promise<void> {
    return this.#fetch(`/files/archive?path=${encodeURIComponent(this.path)}`, `${this.path.split("/").at(-1)}.tar`);
  }

  /** The page's second secret is a header, so a link would not be answered. */
  #fetch(rest: string, name: string): Promise<void> {
    return this.#work(async () => {
      this.busy = `${name}: fetching…`;
      const response = await api.fetch(desktopUrl(this.desktopId, rest));
      const address = URL.createObjectURL(await response.blob());
      const link = document.createElement("a");
      link.href = address;
      link.download = name;
      link.click();
      URL.revokeObjectURL(address);
    });
  }

  async #remove(path: string, entry: FileEntry): Promise<void> {
    const dialog = this.renderRoot.querySelector<ConfirmDialog>("confirm-dialog");
    const what = entry.type === "directory" ? "It goes with all that is in it." : "It cannot be brought back.";
    if (!(await dialog?.ask(`Remove “${entry.name}”?`, what, "Remove"))) return;
    await this.#work(() => api.removeFile(this.desktopId, path, entry.type === "directory"));
  }

  async #work(action: () => Promise<void>): Promise<void> {
    this.problem = null;
    try {
      await action();
    } catch (error) {
      this.problem = asError(error).message;
    }
    this.busy = null;
  }
}

customElements.define("files-panel", FilesPanel);
