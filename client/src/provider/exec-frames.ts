/** Frames of a command in a container: binary websocket messages, the first byte says what the rest is. */

export const execChannels = {
  /** To the command; an empty one is the end of its input. */
  stdin: 0,
  /** From the command; with a terminal all that it writes. */
  stdout: 1,
  stderr: 2,
  /** Of the terminal: columns and rows, two bytes each, the high one first. */
  resize: 3,
  /** The command has ended: its exit code, four bytes, the high one first. Nothing follows. */
  exit: 4,
  /** Why the provider ends it, as text. Nothing follows. */
  trouble: 5,
} as const;

/** Bytes of one message, the channel included. */
export const maxFrameBytes = 64 * 1024;

export type ExecFrame =
  | { readonly channel: 'stdin' | 'stdout' | 'stderr'; readonly data: Uint8Array }
  | { readonly channel: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly channel: 'exit'; readonly code: number }
  | { readonly channel: 'trouble'; readonly text: string };

export function encodeFrame(frame: ExecFrame): Uint8Array {
  return Buffer.concat([Buffer.of(execChannels[frame.channel]), payloadOf(frame)]);
}

function payloadOf(frame: ExecFrame): Uint8Array {
  switch (frame.channel) {
    case 'resize': {
      const size = Buffer.alloc(4);
      size.writeUInt16BE(frame.columns, 0);
      size.writeUInt16BE(frame.rows, 2);
      return size;
    }
    case 'exit': {
      const code = Buffer.alloc(4);
      code.writeInt32BE(frame.code);
      return code;
    }
    case 'trouble':
      return Buffer.from(frame.text, 'utf8').subarray(0, maxFrameBytes - 1);
    default:
      return frame.data;
  }
}

/** Undefined for what is no frame. */
export function decodeFrame(bytes: Uint8Array): ExecFrame | undefined {
  const payload = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).subarray(1);
  switch (bytes[0]) {
    case execChannels.stdin:
      return { channel: 'stdin', data: payload };
    case execChannels.stdout:
      return { channel: 'stdout', data: payload };
    case execChannels.stderr:
      return { channel: 'stderr', data: payload };
    case execChannels.resize:
      if (payload.length !== 4) return undefined;
      return { channel: 'resize', columns: payload.readUInt16BE(0), rows: payload.readUInt16BE(2) };
    case execChannels.exit:
      return payload.length === 4 ? { channel: 'exit', code: payload.readInt32BE(0) } : undefined;
    case execChannels.trouble:
      return { channel: 'trouble', text: payload.toString('utf8') };
    default:
      return undefined;
  }
}

/** Data in frames of at most `maxFrameBytes`. */
export function* dataFrames(channel: 'stdin' | 'stdout' | 'stderr', data: Uint8Array): Generator<Uint8Array> {
  const most = maxFrameBytes - 1;
  for (let at = 0; at < data.length; at += most) yield encodeFrame({ channel, data: data.subarray(at, at + most) });
}
