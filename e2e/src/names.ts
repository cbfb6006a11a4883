/** A workload that speaks UDP alone: a name server that tells each who asks how often it was asked. Busybox can ask it, from any image. */
import { join } from 'node:path';
import { writeImage } from '../../examples/lib/docker-archive.ts';
import { linkedProgram } from '../../examples/photon/src/debian-program.ts';

/** On which it listens. */
export const namesPort = 5353;

/** What an answer begins with; the last part is how many datagrams came before, and this one. */
const prefix = [203, 0, 113] as const;

/**
 * Perl without a module, since every Debian has that much. An answer is the question as it came (RFC 1035 §4.1: id, QR and RA
 * set, one answer) and one A record for the name at offset 12.
 */
const server = `
socket(S, 2, 2, 0) or die "socket: $!";
bind(S, pack("S n x12", 2, ${namesPort})) or die "bind: $!";
while (defined($from = recv(S, $asked, 512, 0))) {
  $count++;
  $head = substr($asked, 0, 2) . pack("n5", 0x8180, 1, 1, 0, 0);
  $record = pack("n3 N n C4", 0xc00c, 1, 1, 0, 4, ${prefix.join(', ')}, $count % 256);
  send(S, $head . substr($asked, 12) . $record, 0, $from);
}
die "recv: $!";
`;

/** Makes its image in a folder. @returns the archive's path @throws Error where Debian's perl-base is missing */
export async function writeNamesImage(folder: string): Promise<string> {
  const path = join(folder, 'names.tar');
  await writeImage(path, {
    tools: ['sh', 'nc'],
    files: [...linkedProgram('/usr/bin/perl'), { name: 'names.pl', content: server }],
    config: { Cmd: ['perl', '/names.pl'], User: '1000' },
  });
  return path;
}

/** What a shell runs to ask it for a name; ends with 0 where an answer came. */
export function askNames(host: string, name = 'a.question'): string {
  return `busybox nslookup -type=a ${name} ${host}:${namesPort}`;
}

/** To one question. */
export interface Answer {
  readonly name: string;
  readonly count: number;
}

/** What `askNames` printed, once or several times. */
export function answersOf(printed: string): readonly Answer[] {
  const pattern = new RegExp(`^Name:\\s+(\\S+)\\nAddress: ${prefix.join('\\.')}\\.(\\d+)$`, 'gm');
  return [...printed.matchAll(pattern)].map(([, name = '', count]) => ({ name, count: Number(count) }));
}
