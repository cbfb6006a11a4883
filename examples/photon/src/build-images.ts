/** Makes `build/web.tar`, a page that counts visits in a database, and `build/db.tar`, Redis as Debian has it. */
import { join } from 'node:path';
import { writeImage } from '../../lib/docker-archive.ts';
import { debianProgram } from './debian-program.ts';

const build = join(import.meta.dirname, '..', 'build');

/** One more visit; an error where the database, wherever it is, does not answer. */
const visit = `#!/bin/sh
visits=$(printf 'AUTH %s\\r\\nINCR visits\\r\\nQUIT\\r\\n' "$DB_PASSWORD" |
  nc db.mu.internal 6379 2> /dev/null | sed -n '2s/[:\\r]//gp')
case "$visits" in
  '' | *[!0-9]*)
    printf 'Status: 503 Service Unavailable\\r\\ncontent-type: application/json\\r\\n\\r\\n'
    printf '{"error":"the database does not answer"}\\n'
    ;;
  *)
    printf 'content-type: application/json\\r\\n\\r\\n'
    printf '{"visits":%s,"instance":"%s"}\\n' "$visits" "$(hostname)"
    ;;
esac
`;

await writeImage(join(build, 'web.tar'), {
  tools: ['sh', 'httpd', 'hostname', 'nc', 'sed', 'wget'],
  files: [
    { name: 'www/health', content: 'ok\n' },
    { name: 'www/cgi-bin/visit', content: visit, mode: 0o755 },
  ],
  config: { Cmd: ['httpd', '-f', '-p', '8080', '-h', '/www'], User: '1000' },
});

const redis = 'redis-server --dir /data --appendonly yes --save "" --bind 0.0.0.0 --requirepass "$DB_PASSWORD"';
await writeImage(join(build, 'db.tar'), {
  tools: ['sh', 'nc', 'wget'],
  files: debianProgram('redis-server'),
  config: {
    // The password comes with the environment, which is the secret part of the manifest.
    Cmd: ['sh', '-c', `exec ${redis}`],
    User: '1000',
  },
});
