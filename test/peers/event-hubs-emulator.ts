import { GenericContainer, getContainerRuntimeClient, ImageName, Network, Wait } from 'testcontainers';

const EMULATOR = 'mcr.microsoft.com/azure-messaging/eventhubs-emulator:latest';
const AZURITE = 'mcr.microsoft.com/azure-storage/azurite:latest';
const AMQP = 5672;

/** A namespace with one hub, `alerts`. */
export interface EventHubsPeer {
  connectionString(hub: string): string;
  close(): Promise<void>;
}

/** Fetches what is not here yet. */
export async function fetchImages(): Promise<void> {
  const { image } = await getContainerRuntimeClient();
  for (const name of [EMULATOR, AZURITE]) await image.pull(ImageName.fromString(name));
}

/**
 * Microsoft's own emulator, and the Azurite that it keeps its things in, as containers. It speaks AMQP without TLS.
 * Whoever runs it accepts its licence: https://github.com/Azure/azure-event-hubs-emulator-installer
 */
export async function startEmulator(): Promise<EventHubsPeer> {
  const network = await new Network().start();
  const azurite = await new GenericContainer(AZURITE)
    .withNetwork(network)
    .withNetworkAliases('azurite')
    .withWaitStrategy(Wait.forLogMessage(/Azurite Table service is successfully listening/))
    .start();
  const emulator = await new GenericContainer(EMULATOR)
    .withNetwork(network)
    .withEnvironment({ BLOB_SERVER: 'azurite', METADATA_SERVER: 'azurite', ACCEPT_EULA: 'Y' })
    .withCopyContentToContainer([{ content: CONFIG, target: '/Eventhubs_Emulator/ConfigFiles/Config.json' }])
    .withExposedPorts(AMQP)
    .withWaitStrategy(Wait.forLogMessage(/Emulator Service is Successfully Up!/))
    .start();
  const address = `sb://${emulator.getHost()}:${emulator.getMappedPort(AMQP)}`;
  return {
    connectionString: (hub) =>
      `Endpoint=${address};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;` +
      `UseDevelopmentEmulator=true;EntityPath=${hub}`,
    async close() {
      await emulator.stop();
      await azurite.stop();
      await network.stop();
    },
  };
}

const CONFIG = JSON.stringify({
  UserConfig: {
    NamespaceConfig: [
      {
        Type: 'EventHub',
        Name: 'emulatorNs1',
        // It makes `$Default` by itself, and wants another one to be named.
        Entities: [{ Name: 'alerts', PartitionCount: '4', ConsumerGroups: [{ Name: 'reader' }] }],
      },
    ],
    LoggingConfig: { Type: 'Console' },
  },
});
