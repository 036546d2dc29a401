using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Oriel.Agents;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Linux.Tests.Guest;

/// <summary>What changes or ends a guest: each test has its own.</summary>
public sealed class LifeTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Hello_WrongKeyOrProof_OpensNothing()
    {
        await using var guest = GuestUnderTest.Start();
        await guest.WaitForSocketAsync(Token);
        await Assert.ThrowsAsync<AgentIdentityException>(() => AgentConnection.OpenAsync(guest.SocketPath, new byte[32], Token));

        using var channel = Channel(guest.SocketPath);
        var client = new Protocol.Guest.Guest.GuestClient(channel);
        var nonce = RandomNumberGenerator.GetBytes(32);
        var hello = await client.HelloAsync(
            new HelloRequest { ClientNonce = ByteString.CopyFrom(nonce), Protocol = AgentProof.ProtocolName },
            cancellationToken: Token
        );
        Assert.Equal(AgentProof.OfAgent(guest.Key, nonce, hello.Session.Span), hello.Proof.ToByteArray());
        var session = Convert.ToHexStringLower(hello.Session.Span);
        foreach (
            var headers in (Metadata[])
                [
                    [],
                    new() { { AgentProof.SessionHeader, session } },
                    new() { { AgentProof.SessionHeader, session }, { AgentProof.ProofHeader, new string('0', 64) } },
                    new() { { AgentProof.SessionHeader, session }, { AgentProof.ProofHeader, Convert.ToHexStringLower(hello.Proof.Span) } },
                    new()
                    {
                        { AgentProof.SessionHeader, new string('0', 64) },
                        { AgentProof.ProofHeader, Convert.ToHexStringLower(AgentProof.OfServer(guest.Key, nonce, hello.Session.Span)) },
                    },
                ]
        )
        {
            var refused = await Assert.ThrowsAsync<RpcException>(() =>
                client.StatFileAsync(new StatFileRequest { Path = "/etc/passwd" }, headers, cancellationToken: Token).ResponseAsync
            );
            Assert.Equal(StatusCode.Unauthenticated, refused.StatusCode);
        }

        var display = await Assert.ThrowsAsync<RpcException>(() =>
            new Protocol.Display.Display.DisplayClient(channel)
                .ScreenshotAsync(new Protocol.Display.ScreenshotRequest(), cancellationToken: Token)
                .ResponseAsync
        );
        Assert.Equal(StatusCode.Unauthenticated, display.StatusCode);
        Assert.DoesNotContain(Convert.ToHexStringLower(guest.Key), guest.Console);
    }

    [Fact]
    public async Task Configure_Invalid_ChangesNothingAndMayBeCorrected()
    {
        await using var guest = GuestUnderTest.Start();
        using var agent = await guest.ConnectAsync(Token);
        var request = new ConfigureRequest
        {
            Hostname = "-bad-",
            TimeZone = "Mars/Base",
            KeyboardLayout = "qq",
            StartUrl = "file:///etc/passwd",
        };
        request.Files.Add(new ConfiguredFile { Path = "/home/user/good", Content = ByteString.CopyFromUtf8("x") });
        request.Files.Add(new ConfiguredFile { Path = "/home/user/../bad" });
        request.Env["HOME"] = "/";
        request.Trust.Add(ByteString.CopyFromUtf8("no certificate"));
        var refused = await Assert.ThrowsAsync<RpcException>(() =>
            agent.Guest.ConfigureAsync(request, cancellationToken: Token).ResponseAsync
        );
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        foreach (var field in (string[])["hostname", "time_zone", "keyboard_layout", "start_url", "files[1]", "env: HOME", "trust[0]"])
        {
            Assert.Contains(field, refused.Status.Detail);
        }

        Assert.Equal(1, (await agent.RunAsync(Token, "test", "-e", "/home/user/good")).Exit.ExitCode);
        await agent.Guest.ConfigureAsync(new ConfigureRequest { Hostname = "good" }, cancellationToken: Token);
        await guest.WaitForStepAsync(agent, "session", StepState.Done, Token);
    }

    [Fact]
    public async Task Configure_ThroughALink_FailsTheGuestWithTheReason()
    {
        await using var guest = GuestUnderTest.Start();
        using var agent = await guest.ConnectAsync(Token);
        await agent.RunAsync(Token, "sh", "-c", "ln -s /etc ~/sub");
        var request = new ConfigureRequest();
        request.Files.Add(new ConfiguredFile { Path = "/home/user/sub/passwd", Content = ByteString.CopyFromUtf8("x") });
        var refused = await Assert.ThrowsAsync<RpcException>(() =>
            agent.Guest.ConfigureAsync(request, cancellationToken: Token).ResponseAsync
        );
        Assert.Contains("/home/user/sub is a symbolic link", refused.Status.Detail);
        await guest.WaitForStepAsync(agent, StepNames.GuestConfigure, StepState.Failed, Token);
        Assert.Equal("0", (await agent.RunAsync(Token, "sh", "-c", "ls -A /etc /home/user | grep -c oriel-")).Stdout.Trim());
    }

    [Fact]
    public async Task Configure_TrustAndStartUrl_ReachBothStores()
    {
        await using var guest = GuestUnderTest.Start();
        using var agent = await guest.ConnectAsync(Token);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authority = new CertificateRequest("CN=Oriel Test CA", key, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var certificate = authority.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var request = new ConfigureRequest { StartUrl = "https://start.example/page?q=1" };
        request.Trust.Add(ByteString.CopyFromUtf8(certificate.ExportCertificatePem()));
        await agent.Guest.ConfigureAsync(request, cancellationToken: Token);
        const string Script = """
            cat ~/.config/oriel/start-url
            openssl verify -CApath /etc/ssl/certs /usr/local/share/ca-certificates/oriel-1.crt
            openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates/oriel-1.crt
            for d in .pki/nssdb .local/share/pki/nssdb; do certutil -d sql:$HOME/$d -L -n oriel-1 | grep -c 'Oriel Test CA'; stat -c %U $HOME/$d/cert9.db; done
            """;
        var seen = await agent.RunAsync(Token, "sh", "-c", Script);
        const string Verified = "/usr/local/share/ca-certificates/oriel-1.crt: OK\n";
        Assert.Equal($"https://start.example/page?q=1\n{Verified}{Verified}2\nuser\n2\nuser\n", seen.Stdout);
    }

    [Fact]
    public async Task Session_XServerKilled_IsAFailedStepWithTheReason()
    {
        await using var guest = GuestUnderTest.Start();
        using var agent = await guest.ConnectAsync(Token);
        await agent.Guest.ConfigureAsync(new ConfigureRequest(), cancellationToken: Token);
        await guest.WaitForStepAsync(agent, "session", StepState.Done, Token);
        await agent.RunAsync(
            Token,
            "sh",
            "-c",
            "for p in /proc/[0-9]*; do case $(readlink $p/exe) in */Xvfb) kill -9 ${p#/proc/};; esac; done"
        );
        var failed = await guest.WaitForStepAsync(agent, "session", StepState.Failed, Token);
        Assert.Contains("ended", failed.Detail);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Shutdown_WithADesktop_EndsInOrder(bool byCall)
    {
        await using var guest = GuestUnderTest.Start();
        using var agent = await guest.ConnectAsync(Token);
        await agent.Guest.ConfigureAsync(new ConfigureRequest(), cancellationToken: Token);
        await guest.WaitForStepAsync(agent, "session", StepState.Done, Token);
        using var watching = agent.Guest.WatchSteps(new WatchStepsRequest(), cancellationToken: Token);
        if (byCall)
        {
            await agent.Guest.ShutdownAsync(new ShutdownRequest { DeadlineMs = 10_000 }, cancellationToken: Token);
        }
        else
        {
            try
            {
                await agent.RunAsync(
                    new ExecStart
                    {
                        Command = "kill",
                        User = "root",
                        Args = { "-TERM", "1" },
                    },
                    "",
                    Token
                );
            }
            catch (RpcException)
            {
                // The guest's end may come before the command's own.
            }
        }

        Assert.Equal(0, await guest.WaitForEndAsync(Token));
        Assert.Contains("guest ended", guest.Console);
        Assert.DoesNotContain("did not end in time", guest.Console);
    }

    private static GrpcChannel Channel(string path) =>
        GrpcChannel.ForAddress(
            "http://agent",
            new GrpcChannelOptions
            {
                HttpHandler = new SocketsHttpHandler
                {
                    ConnectCallback = async (_, token) =>
                    {
                        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), token);
                        return new NetworkStream(socket, ownsSocket: true);
                    },
                },
                DisposeHttpClient = true,
            }
        );
}
