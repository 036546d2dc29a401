/** Defines `<oriel-desktop>`; importing this module is all that a page needs. */
import { OrielDesktopElement, type ViewerEvents, type ViewerState } from "./element.js";

if (!customElements.get("oriel-desktop")) customElements.define("oriel-desktop", OrielDesktopElement);

declare global {
  interface HTMLElementTagNameMap {
    "oriel-desktop": OrielDesktopElement;
  }
}

export { OrielDesktopElement, type ViewerEvents, type ViewerState };
