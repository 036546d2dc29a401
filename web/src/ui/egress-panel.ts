import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { Scope } from "@oriel/desktop/internal";
import { api, asError } from "../api/client.js";
import type { EgressEntry, EgressView, Policy } from "../api/types.js";
import { egressSummary, reasonText } from "./egress-words.js";
import { bytes, clock } from "./format.js";
import { formatRules, parseRules } from "./rules.js";
import { Poller } from "./poller.js";
import { base } from "./styles.js";

/** Entries kept in the table, newest first. */
const mostEntries = 200;

/** The desktop's way out: its policy, to be switched while it runs, and every connection it made or tried. */
export class EgressPanel extends LitElement {
  static override properties = {
    desktopId: { attribute: false },
    source: { attribute: false },
    view: { state: true },
    problem: { state: true },
    draft: { state: true },
    busy: { state: true },
  };
  declare desktopId: string;
  /** Fires `egress-entry` for each live entry. */
  declare source: EventTarget | null;
  declare view: EgressView | null;
  declare problem: string | null;
  declare draft: { mode: Policy["mode"]; allow: string; deny: string } | null;
  declare busy: boolean;
  #scope: Scope | null = null;
  #poller: Poller | null = null;

  static override styles = [
    base,
    css`
      :host {
        padding: 14px 16px;
      }
      [data-testid="egress-panel"] {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 14px;
      }
      .edit {
        margin: -8px 0 -8px -14px;
      }
      fieldset {
        border: 0;
        margin: 0;
        padding: 3px;
        display: grid;
        grid-template-columns: repeat(3, 1fr);
        gap: 3px;
        background: var(--sunken);
        border-radius: 10px;
      }
      fieldset label {
        position: relative;
        padding: 7px 4px;
        text-align: center;
        border-radius: 8px;
        cursor: pointer;
        color: var(--muted);
      }
      fieldset input {
        position: absolute;
        opacity: 0;
        inset: 0;
        cursor: pointer;
      }
      fieldset label:has(:checked) {
        background: var(--raised);
        color: var(--text);
        box-shadow: var(--shadow);
      }
      fieldset label:has(:focus-visible) {
        outline: 2px solid var(--focus);
      }
      textarea {
        min-height: 58px;
      }
      .scroll {
        overflow-x: auto;
        margin: 0 -16px;
        padding: 0 16px;
      }
      table {
        width: 100%;
        border-collapse: collapse;
        font-size: 12.5px;
        font-variant-numeric: tabular-nums;
      }
      th {
        text-align: left;
        color: var(--muted);
        font-weight: 600;
        padding: 4px 8px 4px 0;
      }
      td {
        padding: 5px 8px 5px 0;
        border-top: 1px solid var(--line);
        vertical-align: top;
      }
      td.host {
        overflow-wrap: break-word;
        min-width: 110px;
      }
      td:last-child {
        padding-right: 0;
      }
      td.number,
      th.number {
        text-align: right;
        white-space: nowrap;
      }
      .allowed {
        color: var(--good);
      }
      .refused {
        color: var(--bad);
      }
      .failed {
        color: var(--warn);
      }
      @media (max-width: 480px) {
        th:first-child,
        td:first-child {
          display: none;
        }
      }
      .port {
        color: var(--muted);
        white-space: nowrap;
      }
      .open > .port::after {
        content: " ●";
        color: var(--accent-strong);
      }
    `,
  ];

  constructor() {
    super();
    this.desktopId = "";
    this.source = null;
    this.view = null;
    this.problem = null;
    this.draft = null;
    this.busy = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#scope = new Scope();
    this.#poller = new Poller(
      3000,
      (signal) => this.#load(signal),
      (error) => (this.problem = asError(error).message),
    );
  }

  override firstUpdated(): void {
    if (this.source) this.#scope?.on<CustomEvent<EgressEntry>>(this.source, "egress-entry", (event) => this.#entry(event.detail));
  }

  override disconnectedCallback(): void {
    this.#scope?.close();
    this.#poller?.close();
    super.disconnectedCallback();
  }

  async #load(signal: AbortSignal): Promise<void> {
    this.#take(await api.egress(this.desktopId, signal));
  }

  #take(view: EgressView): void {
    const log = [...view.log].sort((a, b) => Date.parse(b.at) - Date.parse(a.at)).slice(0, mostEntries);
    this.view = { ...view, log };
    this.problem = null;
  }

  #entry(entry: EgressEntry): void {
    if (!this.view) return;
    const rest = this.view.log.filter(({ id }) => id !== entry.id);
    const at = this.view.log.findIndex(({ id }) => id === entry.id);
    const log = at < 0 ? [entry, ...rest] : this.view.log.map((old) => (old.id === entry.id ? entry : old));
    this.view = { ...this.view, log: log.slice(0, mostEntries) };
  }

  async #apply(policy: Policy): Promise<void> {
    this.busy = true;
    try {
      this.#take(await api.setEgress(this.desktopId, policy));
      this.draft = null;
    } catch (error) {
      this.problem = asError(error).message;
    } finally {
      this.busy = false;
    }
  }

  #choose(mode: Policy["mode"]): void {
    const policy = this.view?.policy;
    if (!policy) return;
    if (mode === "list" || this.draft) this.draft = { mode, allow: formatRules(policy.allow), deny: formatRules(policy.deny) };
    if (mode !== "list") void this.#apply({ ...policy, mode });
  }

  #edit(): void {
    const policy = this.view?.policy;
    if (policy) this.draft = { mode: policy.mode, allow: formatRules(policy.allow), deny: formatRules(policy.deny) };
  }

  async #save(): Promise<void> {
    const { draft, view } = this;
    if (!draft || !view) return;
    try {
      await this.#apply({ ...view.policy, mode: draft.mode, allow: parseRules(draft.allow), deny: parseRules(draft.deny) });
    } catch (error) {
      this.problem = asError(error).message;
    }
  }

  override render(): TemplateResult {
    const { view } = this;
    return html`<div data-testid="egress-panel">
      ${this.problem ? html`<p class="small refused" role="alert">${this.problem}</p>` : nothing}
      ${view ? this.#body(view) : this.problem ? nothing : html`<p class="muted">Loading…</p>`}
    </div>`;
  }

  #body(view: EgressView): TemplateResult {
    const mode = this.draft?.mode ?? view.policy.mode;
    const names = { internet: "Internet", list: "Only a list", none: "Nothing" } as const;
    return html`
      <fieldset ?disabled=${this.busy}>
        <legend class="visually-hidden">What this desktop may reach</legend>
        ${(["internet", "list", "none"] as const).map(
          (one) =>
            html`<label
              ><input
                type="radio"
                name="mode"
                .checked=${mode === one}
                data-testid="egress-${one}"
                @change=${() => this.#choose(one)}
              />${names[one]}</label
            >`,
        )}
      </fieldset>
      ${this.draft ? this.#form(this.draft) : html`<p class="small"><button class="quiet edit" @click=${() => this.#edit()}>Edit the lists…</button></p>`}
      <p class="small muted" data-testid="egress-summary">${egressSummary(view)}</p>
      ${view.log.length === 0 ? html`<p class="muted small">No connection yet.</p>` : this.#table(view.log)}
    `;
  }

  #form(draft: { mode: Policy["mode"]; allow: string; deny: string }): TemplateResult {
    const set = (name: "allow" | "deny") => (event: Event) =>
      (this.draft = { ...draft, [name]: (event.target as HTMLTextAreaElement).value });
    return html`
      <div class="field">
        <label for="allow"
          >Allow <small>one a line: <code>*.example.org</code> or <code>example.org:443</code></small></label
        >
        <textarea id="allow" .value=${draft.allow} @input=${set("allow")} spellcheck="false"></textarea>
      </div>
      <div class="field">
        <label for="deny">Deny <small>wins over allow</small></label>
        <textarea id="deny" .value=${draft.deny} @input=${set("deny")} spellcheck="false"></textarea>
      </div>
      <div class="row">
        <button class="primary" ?disabled=${this.busy} data-testid="egress-apply" @click=${() => void this.#save()}>Apply</button>
        <button @click=${() => (this.draft = null)}>Cancel</button
        ><span class="small muted">Open connections that it refuses are cut.</span>
      </div>
    `;
  }

  #table(log: readonly EgressEntry[]): TemplateResult {
    return html`<div class="scroll">
      <table>
        <thead>
          <tr>
            <th>Time</th>
            <th>Host</th>
            <th class="number">Up</th>
            <th class="number">Down</th>
            <th>Verdict</th>
          </tr>
        </thead>
        <tbody>
          ${log.map(
            (entry) =>
              html`<tr data-host=${entry.host} data-verdict=${entry.verdict}>
                <td class="muted">${clock(entry.at)}</td>
                <td class="host ${entry.open ? "open" : ""}" title=${`${entry.kind} ${entry.address ?? ""}`}>
                  ${entry.host}<span class="port">:${entry.port}</span>
                  ${entry.reason ? html`<div class="muted">${reasonText(entry.reason)}${entry.rule ? ` (${entry.rule})` : ""}</div>` : nothing}
                </td>
                <td class="number">${bytes(entry.bytesUp)}</td>
                <td class="number">${bytes(entry.bytesDown)}</td>
                <td class=${entry.verdict}>${entry.verdict}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }
}

customElements.define("egress-panel", EgressPanel);
