import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { Scope } from "@oriel/desktop/internal";
import { api, asError } from "./api/client.js";
import type { SessionInfo } from "./api/types.js";
import { followLink, parseRoute, routeChanged, type Route } from "./route.js";
import { base } from "./ui/styles.js";
import { icon, logo } from "./ui/icons.js";
import "./pages/desktops-page.js";
import "./pages/new-page.js";
import "./pages/desktop-page.js";
import "./pages/sessions-page.js";
import "./ui/failure-card.js";

/** The console: which page is shown, and whether someone is signed in. */
export class OrielApp extends LitElement {
  static override properties = { route: { state: true }, session: { state: true }, problem: { state: true } };
  declare route: Route;
  declare session: SessionInfo | null;
  declare problem: string | null;
  #scope: Scope | null = null;

  static override styles = [
    base,
    css`
      :host {
        min-height: 100%;
      }
      header {
        display: flex;
        align-items: center;
        gap: 12px;
        max-width: 1200px;
        margin: 0 auto;
        padding: 16px 20px;
      }
      header a.home {
        display: inline-flex;
        align-items: center;
        gap: 10px;
        color: var(--text);
        text-decoration: none;
        font-weight: 700;
        font-size: 18px;
        letter-spacing: -0.01em;
      }
      main {
        max-width: 1200px;
        margin: 0 auto;
        padding: 8px 20px 48px;
      }
      .wide {
        max-width: none;
        padding: 0;
      }
      @media (max-width: 560px) {
        header .label {
          display: none;
        }
      }
      .out {
        max-width: 480px;
        margin: 8vh auto 0;
      }
    `,
  ];

  constructor() {
    super();
    this.route = parseRoute(location.pathname);
    this.session = null;
    this.problem = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#scope = new Scope();
    const routed = () => (this.route = parseRoute(location.pathname));
    this.#scope.on(window, "popstate", routed);
    this.#scope.on(window, routeChanged, routed);
    this.#scope.on<MouseEvent>(this, "click", followLink);
    this.#scope.on(window, "oriel-signed-out", () => (this.problem = "signed-out"));
    if (new URLSearchParams(location.hash.slice(1)).has("token")) {
      location.replace(`/signin${location.hash}`);
      return;
    }
    void this.#load();
  }

  override disconnectedCallback(): void {
    this.#scope?.close();
    super.disconnectedCallback();
  }

  async #load(): Promise<void> {
    try {
      this.session = await api.session();
      this.problem = this.session.signedIn ? null : "signed-out";
    } catch (error) {
      this.problem = asError(error).reason;
    }
  }

  async #signOut(): Promise<void> {
    try {
      await api.signOut();
      this.problem = "signed-out";
    } catch (error) {
      this.problem = asError(error).reason;
    }
  }

  override render(): TemplateResult {
    if (this.problem === "signed-out") return this.#signedOut();
    if (this.route.page === "desktop") {
      return html`<main class="wide"><desktop-page .desktopId=${this.route.id}></desktop-page></main>`;
    }
    return html`
      <header>
        <a class="home" href="/">${logo()} Oriel</a>
        <span class="grow"></span>
        ${this.session ? html`<span class="muted small">${this.session.version}</span>` : nothing}
        <a class="button quiet" href="/sessions" data-testid="signed-in" aria-label="Signed in" title="Who is signed in">
          ${icon("people")} <span class="label">Signed in</span>
        </a>
        <button class="quiet" data-testid="sign-out" @click=${() => void this.#signOut()}>${icon("out")} Sign out</button>
      </header>
      <main>${this.#page()}</main>
    `;
  }

  #page(): TemplateResult {
    if (this.route.page === "new") return html`<new-page></new-page>`;
    if (this.route.page === "sessions") return html`<sessions-page></sessions-page>`;
    return html`<desktops-page .session=${this.session}></desktops-page>`;
  }

  #signedOut(): TemplateResult {
    // The page to come back to after signing in.
    sessionStorage.setItem("oriel.return", location.pathname);
    return html`<header><a class="home" href="/">${logo()} Oriel</a></header>
      <main class="out"><failure-card .reason=${{ code: "signed-out" }}></failure-card></main>`;
  }
}

customElements.define("oriel-app", OrielApp);
