import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// One module without dependencies: in the package's dist/ for npm, and in web/dist/lib/ so that a server offers it to other pages.
export default defineConfig({
  root: here("."),
  publicDir: false,
  build: {
    target: "es2022",
    outDir: here("../../dist/lib"),
    emptyOutDir: true,
    sourcemap: true,
    lib: { entry: here("src/index.ts"), formats: ["es"], fileName: () => "oriel-desktop.js" },
  },
});
