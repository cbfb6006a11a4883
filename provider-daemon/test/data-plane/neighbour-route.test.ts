import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, test } from '@jest/globals';
import { NeighbourRoute } from '../../src/data-plane/neighbour-route.ts';
import { InstanceRoute } from '../../src/network/instance-route.ts';
import { eventually } from '../network/support/eventually.ts';
import { instance, undo, undoAll } from '../overlay/support/sessions.ts';

afterEach(undoAll);

const toDb = { far: 'db/main', caller: { infrastructure: 'web-infra', workload: 'web' } };
const never = new AbortController().signal;

test('what was opened by it ends with it, and nothing more is opened', async () => {
  const address = { address: '127.0.0.1', port: await instance((socket) => socket.pipe(socket)) };
  let served: InstanceRoute | undefined = new InstanceRoute([address]);
  const route = new NeighbourRoute(toDb, () => served);
  const [kept, left] = [await route.open(never), await route.open(never)];
  left.destroy();
  await once(left, 'close');
  route.look();
  served = undefined;
  await expect(route.open(never)).rejects.toThrow('not served here');
  expect(kept.destroyed).toBe(false);
  served = new InstanceRoute([address]);
  const late = route.open(never);
  route.close();
  expect(kept.destroyed).toBe(true);
  expect((await late).destroyed).toBe(true);
  await expect(route.open(never)).rejects.toThrow('not served here');
});

test('what may not be called for a while is cut, and may be called again later', async () => {
  const address = { address: '127.0.0.1', port: await instance((socket) => socket.pipe(socket)) };
  const instances = new InstanceRoute([address]);
  let served: InstanceRoute | undefined = instances;
  const route = new NeighbourRoute(toDb, () => served);
  const cut = await route.open(never);
  const opening = route.open(never);
  served = undefined;
  route.look();
  expect([cut.destroyed, (await opening).destroyed]).toEqual([true, true]);
  served = instances;
  const again = await route.open(never);
  expect(again.destroyed).toBe(false);
  again.destroy();
});

test('so do its flows of datagrams', async () => {
  const echo = createSocket('udp4');
  echo.on('message', (bytes, from) => echo.send(bytes, from.port, from.address));
  echo.bind(0, '127.0.0.1');
  await once(echo, 'listening');
  undo.push(() => echo.close());
  const instances = new InstanceRoute([{ address: '127.0.0.1', port: echo.address().port }]);
  const route = new NeighbourRoute(toDb, () => instances);
  const heard: string[] = [];
  const opened = (name: string) =>
    route.openDatagrams({
      message: (bytes) => heard.push(`${name} ${bytes.toString()}`),
      closed: () => heard.push(`${name} closed`),
    });
  const [one, two] = [opened('one'), opened('two')];
  one?.send(Buffer.from('hello'));
  await eventually('the answer', () => heard.includes('one hello'));
  two?.close();
  route.close();
  expect(heard).toEqual(['one hello', 'one closed']);
  expect(opened('three')).toBeUndefined();
});
