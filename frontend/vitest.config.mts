import { defineConfig } from 'vitest/config';

/** JupyterLab's packages load their icons as text. */
const svgAsText = {
  name: 'svg-as-text',
  enforce: 'pre' as const,
  load: (id: string) => (id.split('?')[0]?.endsWith('.svg') ? 'export default "<svg></svg>"' : undefined),
};

export default defineConfig({
  plugins: [svgAsText],
  test: {
    environment: 'jsdom',
    isolate: false,
    include: ['tests/**/*.test.{ts,tsx}'],
    setupFiles: ['tests/setup.ts'],
    server: { deps: { inline: [/@jupyterlab\//, /@jupyter\//] } },
  },
});
