import { html, LitElement, type TemplateResult } from "lit";
import { base } from "../ui/styles.js";

/** The form of a new desktop. */
export class NewPage extends LitElement {
  static override styles = [base];

  override render(): TemplateResult {
    return html`<h1>New desktop</h1>`;
  }
}

customElements.define("new-page", NewPage);
