using System.Net.Sockets;
using System.Text;
using Oriel.Server.Instance;
using Oriel.Tests.Processes;

namespace Oriel.Tests.Server;

/// <summary>What the service manager that started the server hears of it.</summary>
[Collection(nameof(Alone))]
public sealed class ServiceManagerTests
{
    [Fact]
    public void TellReady_StartedByOne_TellsItOnce()
    {
        var directory = Directory.CreateTempSubdirectory("oriel-notify-").FullName;
        try
        {
            var path = Path.Combine(directory, "notify");
            using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 10_000 };
            manager.Bind(new UnixDomainSocketEndPoint(path));
            Environment.SetEnvironmentVariable("NOTIFY_SOCKET", path);
            ServiceManager.TellReady();
            ServiceManager.TellReady();

            var told = new byte[100];
            Assert.Equal("READY=1", Encoding.ASCII.GetString(told, 0, manager.Receive(told)));
            Assert.Equal(0, manager.Available);
            Assert.Null(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
