/** Entry of the data plane's process: `node main.ts <folder>`. */
import { runDataPlane } from './process.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('which folder? The daemon starts this program by itself');
await runDataPlane(folder);
process.exit(0);
