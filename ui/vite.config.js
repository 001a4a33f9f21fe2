// Builds the page into one file, dist/page.html: script and style inline, each allowed by its hash in a
// strict content security policy and by nothing else. Beside it page.cpp: the same bytes for the program.
//   npm run build -- --outDir DIR
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vite';

const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The page with everything inline. Throws when the script could end its own element. */
function assemble(script, style) {
  if (/<\/script|<!--/i.test(script)) throw new Error('the script holds text that would end its element');
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    'img-src blob: data:',
    // The served page talks to its own server; a written report talks to nobody (report::page_with).
    "connect-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const holes = {
    '%POLICY%': policy,
    '%STYLE%': style,
    '%SCRIPT%': script,
  };
  return readFileSync('page.html', 'utf8').replace(/%[A-Z]+%/g, (hole) => holes[hole] ?? hole);
}

/** The bytes as C++: string literals short enough for every compiler. */
function as_cpp(page) {
  const kPiece = 8000;
  const pieces = [];
  const whole = Buffer.from(page, 'utf8').toString('latin1');
  for (let at = 0; at < whole.length; at += kPiece) {
    // Octal escapes always have three digits, so that a digit after one is not taken for a part of it.
    pieces.push(whole.slice(at, at + kPiece).replace(/[^\x20-\x7e]|["\\?]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`));
  }
  return `// Made by ui/vite.config.js from ui/; do not edit.
#include "html/page.hpp"

namespace neurolens::report {

std::span<const std::string_view> page_pieces() {
  static constexpr std::string_view kPieces[] = {
${pieces.map((piece) => `      "${piece}",`).join('\n')}
  };
  return kPieces;
}

}  // namespace neurolens::report
`;
}

function one_file() {
  let out = 'dist';
  return {
    name: 'one-file',
    enforce: 'post',
    configResolved(config) { out = config.build.outDir; },
    generateBundle(_, bundle) {
      const files = Object.values(bundle);
      const script = files.find((file) => file.type === 'chunk').code.trim();
      const style = String(files.find((file) => file.fileName.endsWith('.css')).source).trim();
      const page = assemble(script, style);
      for (const file of files) delete bundle[file.fileName];
      mkdirSync(out, { recursive: true });
      writeFileSync(join(out, 'page.html'), page);
      writeFileSync(join(out, 'page.cpp'), as_cpp(page));
    },
  };
}

export default defineConfig({
  plugins: [one_file()],
  logLevel: 'warn',
  build: {
    target: 'es2022',
    modulePreload: false,
    cssCodeSplit: false,
    emptyOutDir: false,
    rollupOptions: { input: 'src/main.ts', output: { format: 'iife' } },
  },
});
