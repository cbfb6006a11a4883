/** A program that reads an LMDB environment from beginning to end, and ends well when that can be done. */
import { open } from 'lmdb';

const [path = ''] = process.argv.slice(2);
const environment = open({ path, readOnly: true, noSubdir: false, maxDbs: 128, encoding: 'binary' });
let bytes = 0;
// All names first: a database must not be opened while another is being read.
for (const name of [...environment.getKeys()]) {
  const database = environment.openDB({ name: String(name), encoding: 'binary', keyEncoding: 'binary' });
  for (const { value } of database.getRange()) bytes += (value as Buffer | undefined)?.length ?? 0;
}
process.stdout.write(`${bytes}\n`);
await environment.close();
