/** No extension option is known here (RejectExtensionOptionsDecorator); those that are not critical may be ignored. */
import type { AnteStep } from '@mu/framework/ante';
import { errUnknownExtensionOptions } from '@mu/framework/errors';

export const extensionOptions: AnteStep = {
  name: 'extension-options',
  run(_ctx, tx) {
    if (tx.body.extensionOptions.length > 0) throw errUnknownExtensionOptions.bare();
    return undefined;
  },
};
