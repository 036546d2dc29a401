using System.Net;
using System.Net.Sockets;
using Oriel.Server.Configuration;
using Oriel.Server.Instance;

namespace Oriel.Tests.Server;

/// <summary>Ports that the server cannot have: one line that names the option which mends it.</summary>
public sealed class ListenTests
{
    [Theory]
    [InlineData(ProtocolType.Tcp, false, "--port")]
    [InlineData(ProtocolType.Tcp, true, "--media-port")]
    [InlineData(ProtocolType.Udp, true, "--media-port")]
    public void Problem_PortTaken_NamesItAndItsOption(ProtocolType protocol, bool media, string option)
    {
        using var other = new Socket(
            AddressFamily.InterNetwork,
            protocol == ProtocolType.Tcp ? SocketType.Stream : SocketType.Dgram,
            protocol
        );
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        if (protocol == ProtocolType.Tcp)
        {
            other.Listen();
        }

        var port = ((IPEndPoint)other.LocalEndPoint!).Port;
        var options = new ServeOptions
        {
            DataDirectory = "/",
            Port = media ? 0 : port,
            MediaPort = media ? port : 0,
        };
        Assert.Equal($"127.0.0.1:{port} is taken by another program; use {option} N", ListenCheck.Problem(options));
        Assert.Null(ListenCheck.Problem(options with { Port = 0, MediaPort = 0 }));
    }

    [Fact]
    public void Problem_AddressOfAnotherMachine_NamesTheOption() =>
        Assert.Equal(
            "--bind 192.0.2.1: this machine has no such address",
            ListenCheck.Problem(
                new ServeOptions
                {
                    DataDirectory = "/",
                    Bind = IPAddress.Parse("192.0.2.1"),
                    Port = 0,
                    MediaPort = 0,
                }
            )
        );

    /// <summary>In words alone: for root, whom some runs of this test are, the port opens.</summary>
    [Fact]
    public void Words_PortOfRoot_SayWhichPortsAreFree() =>
        Assert.Equal(
            "127.0.0.1:80: permission denied; ports below 1024 are root's, so use one above 1023: --port N",
            ListenCheck.Words(new SocketException((int)SocketError.AccessDenied), new IPEndPoint(IPAddress.Loopback, 80), "--port")
        );

    [Fact]
    public void Certificate_ThatIsNone_IsNamedWithItsOption()
    {
        var file = Path.GetTempFileName();
        try
        {
            var options = new ServeOptions
            {
                DataDirectory = "/",
                Certificate = file,
                CertificateKey = file,
            };
            Assert.Contains(
                $"--cert {file}, --key {file}: ",
                Assert.Throws<IOException>(() => ServerCertificate.Load(options, TimeProvider.System)).Message
            );
        }
        finally
        {
            File.Delete(file);
        }
    }
}
