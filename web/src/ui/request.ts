import type { CreateRequest, Policy } from "../api/types.js";
import { parseRules } from "./rules.js";

/** The form of a new desktop as a person fills it in; empty fields leave the server's default. */
export interface NewDesktopForm {
  name: string;
  width: string;
  height: string;
  startUrl: string;
  env: string;
  mode: Policy["mode"];
  allow: string;
  deny: string;
  upstream: string;
  ttlMinutes: string;
  idleMinutes: string;
  hostname: string;
  timeZone: string;
  keyboardLayout: string;
  trust: string;
}

export interface UploadedFile {
  path: string;
  content: string;
  mode: string;
}

/** A field that cannot be taken as it is. */
export class FieldError extends Error {
  constructor(
    readonly field: keyof NewDesktopForm | "files",
    message: string,
  ) {
    super(message);
    this.name = "FieldError";
  }
}

/** The create request of a form. Throws FieldError for the first field that is wrong. */
export function requestOf(form: NewDesktopForm, files: readonly UploadedFile[]): CreateRequest {
  const request: CreateRequest = {};
  const text = (value: string) => (value.trim() === "" ? undefined : value.trim());
  const set = <K extends keyof CreateRequest>(name: K, value: CreateRequest[K] | undefined) => {
    if (value !== undefined) request[name] = value;
  };
  set("name", text(form.name));
  set("width", whole(form, "width", 320, 3840));
  set("height", whole(form, "height", 240, 2160));
  set("startUrl", urlOf(form));
  set("env", envOf(form.env));
  set("egress", policyOf(form));
  set("ttl", minutes(form, "ttlMinutes"));
  set("idleTimeout", minutes(form, "idleMinutes"));
  set("hostname", hostnameOf(form));
  set("timeZone", text(form.timeZone));
  set("keyboardLayout", text(form.keyboardLayout));
  set("trust", trustOf(form));
  for (const { path } of files) {
    if (!path.startsWith("/") || path.endsWith("/")) throw new FieldError("files", `“${path}” is not a whole path of a file.`);
  }
  if (files.length > 0) request.files = files.map(({ path, content, mode }) => ({ path, content, mode, owner: "user" }));
  return request;
}

function whole(
  form: NewDesktopForm,
  field: "width" | "height" | "ttlMinutes" | "idleMinutes",
  least: number,
  most: number,
): number | undefined {
  const value = form[field].trim();
  if (value === "") return undefined;
  const number = Number(value);
  if (!Number.isInteger(number) || number < least || number > most)
    throw new FieldError(field, `A whole number from ${least} to ${most}, please.`);
  return number;
}

function minutes(form: NewDesktopForm, field: "ttlMinutes" | "idleMinutes"): number | undefined {
  const value = whole(form, field, 1, 525_600);
  return value === undefined ? undefined : value * 60;
}

function urlOf(form: NewDesktopForm): string | undefined {
  const value = form.startUrl.trim();
  if (value === "") return undefined;
  const whole = /^[a-z][a-z0-9+.-]*:/i.test(value) && !/^[^/]+:\d+(\/|$)/.test(value) ? value : `https://${value}`;
  if (!URL.canParse(whole) || !/^https?:$/.test(new URL(whole).protocol))
    throw new FieldError("startUrl", "An http or https address, please.");
  return whole;
}

/** Lines of NAME=value. */
export function envOf(text: string): Record<string, string> | undefined {
  const env: Record<string, string> = {};
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const match = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line.replace(/\r$/, ""));
    if (!match?.[1]) throw new FieldError("env", `“${line.trim()}” is not NAME=value.`);
    env[match[1]] = match[2] ?? "";
  }
  return Object.keys(env).length > 0 ? env : undefined;
}

function policyOf(form: NewDesktopForm): Policy | undefined {
  const rules = (field: "allow" | "deny") => {
    try {
      return parseRules(form[field]);
    } catch (error) {
      throw new FieldError(field, error instanceof Error ? error.message : String(error));
    }
  };
  const allow = form.mode === "list" ? rules("allow") : [];
  const deny = form.mode === "none" ? [] : rules("deny");
  const upstream = upstreamOf(form);
  if (form.mode === "internet" && deny.length === 0 && !upstream) return undefined;
  return { mode: form.mode, allow, deny, ...(upstream ? { upstream } : {}) };
}

function upstreamOf(form: NewDesktopForm): Policy["upstream"] | undefined {
  const value = form.upstream.trim();
  if (value === "" || form.mode === "none") return undefined;
  const match = /^(http|socks5):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?(\[[^\]]+\]|[^:@/]+):(\d{1,5})\/?$/.exec(value);
  const port = Number(match?.[5]);
  const [, type, username, password, host] = match ?? [];
  if (!host || port < 1 || port > 65535)
    throw new FieldError("upstream", "Like http://user:password@host:3128 or socks5://host:1080, please.");
  return {
    type: type === "http" ? "http" : "socks5",
    host,
    port,
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
  };
}

function hostnameOf(form: NewDesktopForm): string | undefined {
  const value = form.hostname.trim();
  if (value === "") return undefined;
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(value))
    throw new FieldError("hostname", "Letters, digits and hyphens, up to 63, please.");
  return value;
}

function trustOf(form: NewDesktopForm): string[] | undefined {
  if (form.trust.trim() === "") return undefined;
  const found = form.trust.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (!found) throw new FieldError("trust", "Certificates in PEM form, please.");
  return found.map((pem) => `${pem}\n`);
}

/** Base64 of a file's bytes. */
export function base64(bytes: Uint8Array): string {
  let binary = "";
  const chunk = 0x8000;
  for (let i = 0; i < bytes.length; i += chunk) binary += String.fromCharCode(...bytes.subarray(i, i + chunk));
  return btoa(binary);
}
