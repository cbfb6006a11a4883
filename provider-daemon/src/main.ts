/** `mu-provider`: sells what a datacenter has to spare. */
import { program } from './program.ts';
import { runProgram } from './run-program.ts';

await runProgram(() => program().parseAsync(process.argv));
