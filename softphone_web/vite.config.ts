import { defineConfig } from "vitest/config";

// Where the built pages go: scripts/pages names a place outside the tree.
const out = process.env.BEFFROI_PAGES ?? "../pages";

// What others name by its address: the service worker, and the script that the town's own site loads.
const named = ["sw", "click-button"];

export default defineConfig({
  build: {
    outDir: out,
    emptyOutDir: true,
    // Browsers that know light-dark() and :has(): those of 2024 and later.
    target: ["chrome123", "firefox121", "safari17.5"],
    modulePreload: { polyfill: false },
    // A picture or a font is a file of its own: the content security policy knows no data: address.
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: {
        index: "index.html",
        click: "click.html",
        sw: "src/reach/worker.ts",
        "click-button": "src/click/button.ts",
      },
      output: {
        entryFileNames: ({ name }) => (named.includes(name) ? "[name].js" : "assets/[name]-[hash].js"),
      },
    },
  },
  // Pages under development ask a node that runs beside: BEFFROI=http://127.0.0.1:8080 scripts/pages dev
  server: {
    proxy: {
      "/api": { target: process.env.BEFFROI ?? "http://127.0.0.1:8080", ws: true },
    },
  },
  test: { include: ["src/**/*.test.ts"] },
});
