import type { Rule } from "../api/types.js";

/** One rule a line: a domain glob, and ports after a colon where not all are meant (`example.org:80,443`). */
export function parseRules(text: string): Rule[] {
  const rules: Rule[] = [];
  for (const line of text.split(/[\n;]+/).map((part) => part.trim())) {
    if (line === "") continue;
    const match = /^(\[[0-9a-fA-F:]+\]|[^\s:]+)(?::([\d,\s]+))?$/.exec(line);
    if (!match?.[1]) throw new Error(`“${line}” is not a host with optional ports.`);
    const ports = (match[2] ?? "")
      .split(",")
      .map((port) => port.trim())
      .filter((port) => port !== "")
      .map(Number);
    const wrong = ports.find((port) => !Number.isInteger(port) || port < 1 || port > 65535);
    if (wrong !== undefined) throw new Error(`${wrong} is not a port.`);
    rules.push({ host: match[1].toLowerCase(), ports });
  }
  return rules;
}

export function formatRules(rules: readonly Rule[]): string {
  return rules.map(({ host, ports }) => ((ports ?? []).length > 0 ? `${host}:${ports.join(",")}` : host)).join("\n");
}
