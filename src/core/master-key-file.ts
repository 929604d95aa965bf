/** The master key's file in the data directory, where no setting says otherwise. */
export const MASTER_KEY_FILE = 'master.key';
