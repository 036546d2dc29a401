import type { Reason } from "@oriel/desktop/internal";

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
  "isolation-unavailable": {
    title: "This needs a virtual machine",
    text: "The template demands one, and this server's desktops are containers. It is refused rather than run with less isolation. The doctor says what is missing for KVM; --driver qemu does without, slowly.",
    command: "./oriel doctor",
    next: ["retry", "list"],
  },
  "image-broken": {
    title: "The desktop image is damaged",
    text: "The image's disks are not what they were when it was built, so nothing starts from them. Build it anew.",
    command: "./oriel image build images/desktop",
    next: ["retry", "list"],
  },
  "no-such-template": { title: "There is no such template", text: "Choose another template.", next: ["list"] },
  "too-many-desktops": {
    title: "All places are taken",
    text: "This server runs as many desktops as it is set to. Destroy one that you no longer need, or start the server with a higher --max-desktops.",
    next: ["list", "retry"],
  },
  "session-died": {
    title: "The desktop's session ended",
    text: "Its X server or its session ended, so nothing could be shown any more. Its disk is gone with it.",
    next: ["new", "log", "list"],
  },
  "guest-exited": {
    title: "The desktop ended",
    text: "The guest ended by itself; its last words are below. Its disk is gone with it.",
    next: ["new", "log", "list"],
  },
  "guest-killed": {
    title: "The desktop was killed",
    text: "Something on the server ended the guest. Its disk is gone with it.",
    next: ["new", "log", "list"],
  },
  oom: {
    title: "The desktop ran out of memory",
    text: "The guest used more memory than it may, and was ended.",
    next: ["new", "log", "list"],
  },
  "start-failed": {
    title: "The guest did not start",
    text: "The driver could not start it; the log says why.",
    command: "./oriel doctor",
    next: ["new", "log", "list"],
  },
  "keeper-died": {
    title: "The desktop's keeper died",
    text: "The process that held the desktop ended, and everything of the desktop with it.",
    next: ["new", "log", "list"],
  },
  "keeper-not-started": {
    title: "The keeper did not start",
    text: "The server could not start the process that holds a desktop.",
    command: "./oriel doctor",
    next: ["new", "log", "list"],
  },
  "step-failed": {
    title: "A step failed",
    text: "The desktop was ended, since a step of its creation did not succeed.",
    next: ["new", "log", "list"],
  },
  "step-deadline": {
    title: "A step took too long",
    text: "The desktop was ended, since a step missed its deadline.",
    next: ["new", "log", "list"],
  },
  "agent-untrusted": {
    title: "The guest's agent cannot be trusted",
    text: "What answered in the guest does not hold its key, or sent what no agent sends, so it was ended.",
    next: ["new", "log", "list"],
  },
  "agent-unreachable": {
    title: "The guest does not answer",
    text: "The link to the agent in the guest broke.",
    next: ["new", "log", "list"],
  },
  "files-mismatch": {
    title: "A file is not as asked",
    text: "Files are read back from the guest; one was not what was put there.",
    next: ["new", "log", "list"],
  },
  "environment-mismatch": {
    title: "The environment is not as asked",
    text: "The session's environment is read back; it was not what was set.",
    next: ["new", "log", "list"],
  },
  "canary-failed": {
    title: "The way out could not be proved",
    text: "A request from the guest did not come back through this desktop's own proxy.",
    next: ["new", "log", "list"],
  },
  "configuration-refused": {
    title: "The guest refuses a setting",
    text: "The message names the value; change it and try again.",
    next: ["new", "log", "list"],
  },
  stopped: { title: "It was stopped", text: "The guest was stopped before it ran.", next: ["new", "log", "list"] },
  "disk-full": {
    title: "The server's disk is full",
    text: "Make room on the server, or destroy desktops that are no longer needed.",
    next: ["list", "new"],
  },
  "host-restarted": { title: "The machine was restarted", text: "The desktop ran on it and ended with it.", next: ["new", "list"] },
  "server-restarted": {
    title: "The server was restarted meanwhile",
    text: "It ended while this desktop was being created.",
    next: ["new", "list"],
  },
  expired: { title: "Its time is over", text: "The desktop had a set time to live and was destroyed.", next: ["new", "list"] },
  idle: {
    title: "It was idle for too long",
    text: "Nobody used the desktop for its idle time-out, so it was destroyed.",
    next: ["new", "list"],
  },
  requested: { title: "Destroyed", text: "The desktop was destroyed as asked; nothing of it is left.", next: ["new", "list"] },
  destroying: { title: "Going away", text: "The desktop is being destroyed.", next: ["list", "new"] },
  internal: { title: "The server failed", text: "This is the server's fault; its log says more.", next: ["new", "log", "list"] },
  "server-unreachable": {
    title: "The server does not answer",
    text: "This page comes back by itself as soon as it does. Desktops live on without it.",
    command: "./oriel up",
    next: ["retry", "list"],
  },
  "bad-request": { title: "The server did not accept this", text: "", next: ["list"] },
};

/** What a reason means for the person, and what to do about it. */
export function explain(reason: Reason | null | undefined): Explanation {
  const entry = reason && Object.hasOwn(known, reason.code) ? known[reason.code] : undefined;
  if (entry) return entry;
  return { title: "Something went wrong", text: "", next: ["new", "log", "list"] };
}
