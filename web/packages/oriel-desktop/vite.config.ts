import { copyFile, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const served = here("../../dist/lib/");

/** The server offers the same module to other pages: web/dist/lib/oriel-desktop.js. */
function copyForServer(): Plugin {
  return {
    name: "copy-for-server",
    async closeBundle() {
      await mkdir(served, { recursive: true });
      await copyFile(here("dist/oriel-desktop.js"), `${served}oriel-desktop.js`);
    },
  };
}

// One module without dependencies, for npm in the package's dist/.
export default defineConfig({
  root: here("."),
  publicDir: false,
  plugins: [copyForServer()],
  build: {
    target: "es2022",
    outDir: here("dist"),
    emptyOutDir: true,
    lib: { entry: here("src/index.ts"), formats: ["es"], fileName: () => "oriel-desktop.js" },
  },
});
