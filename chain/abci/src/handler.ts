/** What a server hands its requests to: an application, or something that passes them on as they are. */
import type { Application, Reply } from './application.ts';
import type { ServedMethod } from './methods.ts';

/** Takes requests encoded and answers them encoded, so that one that passes them on decodes nothing. */
export interface MessageHandler {
  /** Called in the order of the requests of a connection. @throws FrameError on a damaged request */
  handle(method: ServedMethod, body: Uint8Array): Reply<Uint8Array>;
}

/** An application of this process. */
export function handlerOf(application: Application): MessageHandler {
  return { handle: (method, body) => method.prepare(body)(application) };
}

export function isHandler(target: Application | MessageHandler): target is MessageHandler {
  return 'handle' in target;
}
