import { expect, test } from "vitest";
import { join, parents, sorted } from "../src/ui/file-paths.js";

test("sorted_FoldersAndNumbers_AreAsPeopleOrderThem", () => {
  const entries = ["b10", "b9", "A"].map((name) => ({ name, type: "file" as const, size: 1 }));
  const folder = { name: "z", type: "directory" as const, size: 0 };
  expect(sorted([...entries, folder]).map(({ name }) => name)).toEqual(["z", "A", "b9", "b10"]);
});

test("parents_OfAnyPath_LeadFromTheRoot", () => {
  expect(parents("/home/user")).toEqual([
    { name: "home", path: "/home" },
    { name: "user", path: "/home/user" },
  ]);
  expect(join("/a", "b c")).toBe("/a/b c");
});
