import { keepSessionSecret } from "@oriel/desktop/internal";
import { returnPath, tokenFrom } from "./token.js";

const form = document.querySelector<HTMLFormElement>("#form");
const field = document.querySelector<HTMLInputElement>("#token");
const button = document.querySelector<HTMLButtonElement>("#submit");
/** Where the server sent us here from. */
const wanted = new URLSearchParams(location.search).get("return");
const status = document.querySelector<HTMLElement>("#status");

function say(text: string, calm = false): void {
  if (!status) return;
  status.textContent = text;
  status.classList.toggle("calm", calm);
}

function refusal(code: number): string {
  if (code === 401) return "This token is not valid, or was used already. Each address signs in once: take a new one.";
  if (code === 403) return "The server refused this page's origin. Open the address exactly as the server printed it.";
  if (code === 429) return "Too many attempts. Wait a moment, then try again.";
  return `The server answered ${code}. Look at its log, then try again.`;
}

async function signIn(token: string): Promise<void> {
  if (button) button.disabled = true;
  say("Signing in…", true);
  try {
    const response = await fetch("/api/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (response.ok) {
      keepSessionSecret(((await response.json()) as { secret: string }).secret);
      location.replace(returnPath(wanted ?? sessionStorage.getItem("oriel.return")));
      return;
    }
    say(refusal(response.status));
  } catch {
    say("The server does not answer. Look whether it runs, then try again.");
  } finally {
    if (button) button.disabled = false;
  }
  field?.focus();
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const token = field?.value.trim() ?? "";
  if (token !== "") void signIn(token);
});

/** False where the address holds no token. */
function signInByAddress(): boolean {
  const given = tokenFrom(location.hash);
  if (!given) return false;
  // Out of the address bar and the history before anything else happens with it.
  history.replaceState(null, "", location.pathname + (wanted === null ? "" : `?return=${encodeURIComponent(wanted)}`));
  void signIn(given);
  return true;
}

if (!signInByAddress()) field?.focus();
// A sign-in address that is pasted into this very tab changes the fragment alone: the page is not loaded again.
addEventListener("hashchange", signInByAddress);
