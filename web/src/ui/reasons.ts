import type { Reason } from "@oriel/desktop/parts";

export type NextStep = "retry" | "new" | "list" | "log" | "signin" | "reload";

export interface Explanation {
  title: string;
  text: string;
  /** A command for the server's shell that mends it. */
  command?: string;
  next: NextStep[];
}

const known: Record<string, Explanation> = {
  "signed-out": { title: "You are signed out", text: "Your desktops go on living. Sign in to come back to them.", next: ["signin"] },
  "no-such-desktop": { title: "There is no such desktop", text: "It was destroyed, or the address is not whole.", next: ["new", "list"] },
  "desktop-gone": { title: "This desktop is gone", text: "It was destroyed; nothing of it is left.", next: ["new", "list"] },
  "image-missing": {
    title: "The desktop image is missing",
    text: "Desktops start from a golden image, and this server has none that is usable. Build it once; it takes a minute or two.",
    command: "./oriel image build images/desktop",
    next: ["retry", "list"],
  },
  "no-such-template": { title: "There is no such template", text: "Choose another template.", next: ["list"] },
  "too-many-desktops": {
    title: "All places are taken",
    text: "This server runs as many desktops as it is set to. Destroy one that you no longer need, or start the server with a higher --max-desktops.",
    next: ["list", "retry"],
  },
  "guest-died": { title: "The desktop died", text: "The guest ended by itself; its last words are below. Its disk is gone with it.", next: ["new", "log", "list"] },
  "keeper-died": { title: "The desktop's keeper died", text: "The process that held the desktop ended, and everything of the desktop with it.", next: ["new", "log", "list"] },
  "keeper-lost": { title: "The desktop's keeper died", text: "The process that held the desktop ended, and everything of the desktop with it.", next: ["new", "log", "list"] },
  "deadline": { title: "A step took too long", text: "The desktop was ended, since a step missed its deadline.", next: ["new", "log", "list"] },
  "step-timeout": { title: "A step took too long", text: "The desktop was ended, since a step missed its deadline.", next: ["new", "log", "list"] },
  "attestation-failed": { title: "The desktop could not prove itself", text: "Something configured was not found as asked when it was read back.", next: ["new", "log", "list"] },
  "ttl": { title: "Its time is over", text: "The desktop had a set time to live and was destroyed.", next: ["new", "list"] },
  "ttl-expired": { title: "Its time is over", text: "The desktop had a set time to live and was destroyed.", next: ["new", "list"] },
  "idle": { title: "It was idle for too long", text: "Nobody looked at the desktop for its idle time-out, so it was destroyed.", next: ["new", "list"] },
  "idle-timeout": { title: "It was idle for too long", text: "Nobody looked at the desktop for its idle time-out, so it was destroyed.", next: ["new", "list"] },
  "requested": { title: "Destroyed", text: "The desktop was destroyed as asked; nothing of it is left.", next: ["new", "list"] },
  "deleted": { title: "Destroyed", text: "The desktop was destroyed as asked; nothing of it is left.", next: ["new", "list"] },
  "server-unreachable": { title: "The server does not answer", text: "This page comes back by itself as soon as it does. Desktops live on without it.", command: "./oriel up", next: ["reload"] },
  "bad-request": { title: "The server did not accept this", text: "", next: ["list"] },
};

/** What a reason means for the person, and what to do about it. */
export function explain(reason: Reason | null | undefined): Explanation {
  const entry = reason && Object.hasOwn(known, reason.code) ? known[reason.code] : undefined;
  if (entry) return entry;
  return { title: "Something went wrong", text: "", next: ["new", "log", "list"] };
}
