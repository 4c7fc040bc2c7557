// Each built file again as .br and .gz beside itself, so that nobody compresses while somebody waits.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const built = process.env.BEFFROI_PAGES ?? "../pages";
const worthIt = /\.(css|html|js|svg|json|txt)$/;

for (const name of readdirSync(built, { recursive: true })) {
  const path = join(built, name);
  if (!worthIt.test(name) || !statSync(path).isFile()) continue;
  const data = readFileSync(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length };
  writeFileSync(`${path}.br`, brotliCompressSync(data, { params }));
  writeFileSync(`${path}.gz`, gzipSync(data, { level: 9 }));
}
