import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, test } from '@jest/globals';
import { NeighbourRoute } from '../../src/data-plane/neighbour-route.ts';
import { InstanceRoute } from '../../src/network/instance-route.ts';
import { eventually } from '../network/support/eventually.ts';
import { instance, undo, undoAll } from '../overlay/support/sessions.ts';

afterEach(undoAll);

const never = new AbortController().signal;

test('what was opened by it ends with it, and nothing more is opened', async () => {
  const address = { address: '127.0.0.1', port: await instance((socket) => socket.pipe(socket)) };
  let served: InstanceRoute | undefined = new InstanceRoute([address]);
  const route = new NeighbourRoute('db/main', () => served);
  const [kept, left] = [await route.open(never), await route.open(never)];
  left.destroy();
  await once(left, 'close');
  served = undefined;
  await expect(route.open(never)).rejects.toThrow('not served here any more');
  expect(kept.destroyed).toBe(false);
  served = new InstanceRoute([address]);
  const late = route.open(never);
  route.close();
  expect(kept.destroyed).toBe(true);
  expect((await late).destroyed).toBe(true);
  await expect(route.open(never)).rejects.toThrow('not served here any more');
});

test('so do its flows of datagrams', async () => {
  const echo = createSocket('udp4');
  echo.on('message', (bytes, from) => echo.send(bytes, from.port, from.address));
  echo.bind(0, '127.0.0.1');
  await once(echo, 'listening');
  undo.push(() => echo.close());
  const instances = new InstanceRoute([{ address: '127.0.0.1', port: echo.address().port }]);
  const route = new NeighbourRoute('db/main', () => instances);
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
