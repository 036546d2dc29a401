import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Reason } from "@oriel/desktop/internal";
import { api, asError } from "../api/client.js";
import type { Session } from "../api/types.js";
import { icon } from "../ui/icons.js";
import { Poller } from "../ui/poller.js";
import { sessionFacts, sessionTitle } from "../ui/session-words.js";
import { base } from "../ui/styles.js";
import "../ui/failure-card.js";

/** Who is signed in, from where and with what; each can be signed out from here. */
export class SessionsPage extends LitElement {
  static override properties = { sessions: { state: true }, failure: { state: true }, busy: { state: true } };
  declare sessions: Session[] | null;
  declare failure: Reason | null;
  declare busy: boolean;
  #poller: Poller | null = null;

  static override styles = [
    base,
    css`
      .bar {
        display: flex;
        align-items: center;
        gap: 12px;
        flex-wrap: wrap;
        margin: 8px 0 10px;
      }
      p {
        max-width: 70ch;
        margin-bottom: 22px;
      }
      ul {
        list-style: none;
        margin: 0;
        padding: 0;
      }
      li {
        display: flex;
        align-items: center;
        gap: 12px;
        padding: 14px 16px;
      }
      li + li {
        border-top: 1px solid var(--line);
      }
      .name {
        font-weight: 650;
        overflow-wrap: anywhere;
      }
      .facts {
        display: flex;
        flex-wrap: wrap;
        gap: 2px 14px;
        margin-top: 4px;
        overflow-wrap: anywhere;
      }
      failure-card {
        max-width: 720px;
        margin: 0 auto 26px;
      }
    `,
  ];

  constructor() {
    super();
    this.sessions = null;
    this.failure = null;
    this.busy = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = "Signed in · Oriel";
    this.#poller = new Poller(
      5000,
      async (signal) => {
        this.sessions = await api.sessions(signal);
        this.failure = null;
      },
      (error) => this.#fail(error),
    );
  }

  override disconnectedCallback(): void {
    this.#poller?.close();
    super.disconnectedCallback();
  }

  #fail(error: unknown): void {
    const { reason, message, details } = asError(error);
    this.failure = { ...details, code: reason, message };
  }

  async #end(session: Session): Promise<void> {
    await this.#do(() => api.endSession(session.id));
    if (session.current && !this.failure) window.dispatchEvent(new CustomEvent("oriel-signed-out"));
  }

  async #do(change: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.failure = null;
    try {
      await change();
    } catch (error) {
      // One that has ended meanwhile is as wanted.
      if (asError(error).reason !== "no-such-session") this.#fail(error);
    } finally {
      this.busy = false;
      this.#poller?.now();
    }
  }

  override render(): TemplateResult {
    const sessions = this.sessions ?? [];
    return html`
      <div class="bar">
        <h1>Signed in</h1>
        <span class="grow"></span>
        ${
          sessions.some(({ current }) => !current)
            ? html`<button data-testid="end-others" ?disabled=${this.busy} @click=${() => void this.#do(api.endOtherSessions)}>
                ${icon("out")} Sign out everywhere else
              </button>`
            : nothing
        }
      </div>
      <p class="muted">
        Whoever is signed in sees and controls all desktops. A session that is revoked ends at once, with the pictures it shows. On the
        server
        <code>./oriel token --rotate</code> ends all of them, and the token with them.
      </p>
      ${this.failure ? html`<failure-card .reason=${this.failure} @next-step=${() => this.#poller?.now()}></failure-card>` : nothing}
      ${
        this.sessions === null
          ? nothing
          : html`<ul class="card" data-testid="sessions">
              ${sessions.map((session) => this.#row(session))}
            </ul>`
      }
    `;
  }

  #row(session: Session): TemplateResult {
    const title = sessionTitle(session);
    return html`<li data-id=${session.id} data-testid="session">
      <div class="grow">
        <span class="name">${title}</span>
        ${session.current ? html`<span class="chip good" data-testid="this-session">this one</span>` : nothing}
        <div class="facts muted small">${sessionFacts(session, Date.now()).map((fact) => html`<span>${fact}</span>`)}</div>
      </div>
      <button
        class="quiet danger"
        data-testid="revoke"
        aria-label="Revoke ${title}, ${session.address}"
        ?disabled=${this.busy}
        @click=${() => void this.#end(session)}
      >
        Revoke
      </button>
    </li>`;
  }
}

customElements.define("sessions-page", SessionsPage);
