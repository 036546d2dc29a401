import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import * as prettier from "prettier";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");

function files(folder, names) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ["node_modules", "dist"].includes(entry.name) ? [] : files(path, names);
    return names.test(entry.name) && entry.name !== "package-lock.json" ? [path] : [];
  });
}

test("sources_OfThePage_AreLaidOutAsTheFormatterDoes", async () => {
  const wrong = [];
  for (const path of files(root, /\.(ts|css|html|json)$/)) {
    const text = readFileSync(path, "utf8");
    const laidOut = await prettier.format(text, { ...(await prettier.resolveConfig(path)), filepath: path });
    if (laidOut !== text) {
      const lines = text.split("\n");
      const line = laidOut.split("\n").findIndex((one, index) => one !== lines[index]);
      wrong.push(`web/${relative(root, path)}:${line + 1}: not as Prettier lays it out`);
    }
  }
  expect(wrong, "mend it with ./oriel format").toEqual([]);
}, 120_000);

test("sources_OfThePage_KeepTheLintersRules", () => {
  const options = ["lint", "--reporter=json", "--max-diagnostics=none", "."];
  const { stdout, stderr } = spawnSync(join(root, "node_modules/.bin/biome"), options, { cwd: root, encoding: "utf8" });
  expect(stdout, stderr).toMatch(/^\{/);
  const wrong = JSON.parse(stdout).diagnostics.map(
    // What is wrong with a file's name is on line 0.
    ({ category, location, message }) => `web/${location.path}:${location.start.line || 1}: ${category}: ${message}`,
  );
  expect(wrong).toEqual([]);
}, 120_000);

test("modules_OfThePage_FormNoCircle", () => {
  const modules = files(root, /\.ts$/);
  const uses = new Map(
    modules.map((path) => [
      path,
      [...readFileSync(path, "utf8").matchAll(/^(?:import|export)\s(?!type\s)[^;]*?from "(\.[^"]+)"/gms)]
        .map((match) => resolve(dirname(path), match[1].replace(/\.js$/, ".ts")))
        .map((target) => (modules.includes(target) ? target : `${target}.ts`)),
    ]),
  );
  const done = new Set();
  const visit = (path, way) => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path].map((one) => relative(root, one)).join(" > ");
    if (done.has(path)) return undefined;
    done.add(path);
    for (const target of uses.get(path) ?? []) {
      const circle = visit(target, [...way, path]);
      if (circle) return circle;
    }
    return undefined;
  };
  expect(modules.map((path) => visit(path, [])).filter(Boolean)).toEqual([]);
});
