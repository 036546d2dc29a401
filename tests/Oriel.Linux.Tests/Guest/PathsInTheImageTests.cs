using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Linux.Tests.Guest;

/// <summary>
/// An image that has something at a configured path already: the configured file takes its place and is proven, or the step fails and says
/// what is there.
/// </summary>
public sealed class PathsInTheImageTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Configure_PathsThatTheImageHas_ReplacesWhatIsThereAndProvesIt()
    {
        await using var guest = GuestUnderTest.Start();
        using var agent = await guest.ConnectAsync(Token);
        var there = await agent.RunAsync(
            Token,
            "sh",
            "-c",
            "cd /home/user; echo longer than what comes >file; chmod 0444 file; ln -s /etc/hostname link; ln -s nowhere dangling; mkfifo pipe; ln file second; stat -c %U /etc/motd /etc/debian_version"
        );
        Assert.Equal("root\nroot\n", there.Stdout);
        ConfiguredFile[] files =
        [
            // Of the image's read-only layer, another's, with other modes.
            File("/etc/motd", 0x1a4, "user"),
            File("/etc/debian_version", 0x180, "root"),
            File("/etc/hosts", 0x1a4, "root"),
            File("/home/user/.bashrc", 0x1ed, "1000:0"),
            File("/home/user/file", 0x1a0, "user"),
            File("/home/user/link", 0x1a4, "user"),
            File("/home/user/dangling", 0x1a4, "user"),
            File("/home/user/pipe", 0x1a4, "root"),
        ];
        var request = new ConfigureRequest();
        request.Files.AddRange(files);
        var configured = await agent.Guest.ConfigureAsync(request, cancellationToken: Token);
        var asked = new AttestRequest();
        asked.Paths.AddRange(files.Select(file => file.Path));
        await guest.WaitForStepAsync(agent, "session", StepState.Done, Token);
        var attested = await agent.Guest.AttestAsync(asked, cancellationToken: Token);

        Assert.Equal(configured.Files, attested.Files);
        foreach (var (file, proof) in files.Zip(attested.Files))
        {
            var (uid, gid) = file.Owner switch
            {
                "root" => (0u, 0u),
                "user" => (1000u, 1000u),
                _ => (1000u, 0u),
            };
            Assert.Equal((file.Path, "", file.Mode, uid, gid), (proof.Path, proof.Error, proof.Mode, proof.Uid, proof.Gid));
            Assert.Equal(SHA256.HashData(file.Content.Span), proof.Sha256.ToByteArray());
        }

        // The link was replaced, not followed; the other name of a file has what it had.
        var beside = await agent.RunAsync(
            Token,
            "sh",
            "-c",
            "cd /home/user; cat second; grep -c configured /etc/hostname; test -e nowhere || echo none"
        );
        Assert.Equal("longer than what comes\n0\nnone\n", beside.Stdout);
    }

    [Theory]
    [InlineData("/etc/ssl", "/etc/ssl", "is a directory")]
    [InlineData("/etc/hostname/below", "/etc/hostname", "not a directory")]
    [InlineData("/bin/tool", "/bin", "is a symbolic link")]
    public async Task Configure_PathThatCannotBeAFile_FailsTheStepAndChangesNothing(string path, string where, string why)
    {
        await using var guest = GuestUnderTest.Start();
        using var agent = await guest.ConnectAsync(Token);
        var request = new ConfigureRequest();
        request.Files.Add(File("/home/user/good", 0x1a4, "user"));
        request.Files.Add(File(path, 0x1a4, "root"));
        var refused = await Assert.ThrowsAsync<RpcException>(() =>
            agent.Guest.ConfigureAsync(request, cancellationToken: Token).ResponseAsync
        );
        Assert.Contains(where, refused.Status.Detail);
        Assert.Contains(why, refused.Status.Detail);
        await guest.WaitForStepAsync(agent, StepNames.GuestConfigure, StepState.Failed, Token);
        var left = await agent.RunAsync(
            Token,
            "sh",
            "-c",
            "ls -A /home/user /etc | grep -c -e oriel- -e good; test -d /etc/ssl && test -f /etc/hostname && test -L /bin && echo kept"
        );
        Assert.Equal("0\nkept\n", left.Stdout);
    }

    private static ConfiguredFile File(string path, uint mode, string owner) =>
        new()
        {
            Path = path,
            Content = ByteString.CopyFrom(Encoding.UTF8.GetBytes($"configured {path}\n")),
            Mode = mode,
            Owner = owner,
        };
}
