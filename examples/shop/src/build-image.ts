/** Makes `build/web.tar`: busybox with two pages, one that counts on a volume, and one that asks the other. */
import { join } from 'node:path';
import { writeImage } from '../../lib/docker-archive.ts';

/** Counts visits on its volume. */
const count = `#!/bin/sh
printf 'content-type: text/plain\\r\\n\\r\\n'
visits=$(cat /data/visits 2> /dev/null || echo 0)
echo $((visits + 1)) | tee /data/visits
`;

/** Says which instance answers, in what version, and what the counter counted. */
const visit = `#!/bin/sh
visits=$(wget -q -O - http://counter.mu.internal:8080/cgi-bin/count)
printf 'content-type: application/json\\r\\n\\r\\n'
printf '{"greeting":"%s","instance":"%s","visits":%s}\\n' "$GREETING" "$(hostname)" "\${visits:-0}"
`;

await writeImage(join(import.meta.dirname, '..', 'build', 'web.tar'), {
  tools: ['sh', 'httpd', 'cat', 'hostname', 'tee', 'wget'],
  files: [
    { name: 'www/health', content: 'ok\n' },
    { name: 'www/cgi-bin/count', content: count, mode: 0o755 },
    { name: 'www/cgi-bin/visit', content: visit, mode: 0o755 },
  ],
  config: { Cmd: ['httpd', '-f', '-p', '8080', '-h', '/www'], User: '1000' },
});
