using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Protocol.Guest;
using FileInfo = Oriel.Protocol.Guest.FileInfo;

namespace Oriel.Linux.Tests.Guest;

public sealed class FileTests(ConfiguredGuest guest)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task PutFile_Whole_CanBeReadBackWithItsHashOwnerAndMode()
    {
        var agent = await guest.AgentAsync(Token);
        var content = RandomNumberGenerator.GetBytes(3_000_000);
        var put = await PutAsync(
            agent,
            new PutFileHeader
            {
                Path = "/home/user/new/deep/a.bin",
                Mode = 0x1e8,
                TotalSize = content.Length,
            },
            content
        );
        Assert.Equal(SHA256.HashData(content), put.Sha256.ToByteArray());
        Assert.Equal((0x1e8u, 1000u, 1000u, (long)content.Length), (put.Mode, put.Uid, put.Gid, put.Size));
        var (info, read) = await GetAsync(agent, "/home/user/new/deep/a.bin", 0, 0);
        Assert.Equal(content, read);
        Assert.Equal(put.ModifiedUs, info.ModifiedUs);
        Assert.Equal("user", (await agent.RunAsync(Token, "stat", "-c", "%U", "/home/user/new/deep")).Stdout.Trim());
    }

    [Fact]
    public async Task PutFile_Interrupted_KeepsThePartAndGoesOnFromIt()
    {
        var agent = await guest.AgentAsync(Token);
        const string PathValue = "/home/user/resumed.bin";
        var content = RandomNumberGenerator.GetBytes(500_000);
        var interrupted = await Assert.ThrowsAsync<RpcException>(() =>
            PutAsync(agent, new PutFileHeader { Path = PathValue, TotalSize = content.Length }, content[..200_000])
        );
        Assert.Equal(StatusCode.FailedPrecondition, interrupted.StatusCode);
        var kept = await agent.Guest.StatFileAsync(new StatFileRequest { Path = PathValue }, cancellationToken: Token);
        Assert.Equal((-1L, 200_000L), (kept.Size, kept.PartialSize));
        var tooFar = await Assert.ThrowsAsync<RpcException>(() =>
            PutAsync(
                agent,
                new PutFileHeader
                {
                    Path = PathValue,
                    Offset = 200_001,
                    TotalSize = content.Length,
                },
                content
            )
        );
        Assert.Equal(StatusCode.OutOfRange, tooFar.StatusCode);
        var put = await PutAsync(
            agent,
            new PutFileHeader
            {
                Path = PathValue,
                Offset = 150_000,
                TotalSize = content.Length,
            },
            content[150_000..]
        );
        Assert.Equal(SHA256.HashData(content), put.Sha256.ToByteArray());
        Assert.Equal(0, (await agent.Guest.StatFileAsync(new StatFileRequest { Path = PathValue }, cancellationToken: Token)).PartialSize);
        Assert.Equal("", (await agent.RunAsync(Token, "sh", "-c", "ls -A /home/user | grep partial")).Stdout);
    }

    [Fact]
    public async Task GetFile_OffsetAndLength_GivesThatPart()
    {
        var agent = await guest.AgentAsync(Token);
        await PutAsync(agent, new PutFileHeader { Path = "/tmp/part", TotalSize = -1 }, "0123456789"u8.ToArray());
        Assert.Equal("345"u8.ToArray(), (await GetAsync(agent, "/tmp/part", 3, 3)).Content);
        Assert.Equal("89"u8.ToArray(), (await GetAsync(agent, "/tmp/part", 8, long.MaxValue)).Content);
        Assert.Empty((await GetAsync(agent, "/tmp/part", 10, 0)).Content);
        Assert.Equal(StatusCode.OutOfRange, (await Assert.ThrowsAsync<RpcException>(() => GetAsync(agent, "/tmp/part", 11, 0))).StatusCode);
    }

    [Fact]
    public async Task ListFiles_OfADirectory_TellsWhatIsInIt()
    {
        var agent = await guest.AgentAsync(Token);
        await agent.RunAsync(
            Token,
            "sh",
            "-c",
            "mkdir -p ~/list/sub; cd ~/list; printf 12345 >b; chmod 640 b; ln -s nowhere a; mkfifo c; printf x >\"$(printf 'not\\377text')\"; ln -s list ../tolist"
        );
        foreach (var path in (string[])["/home/user/list", "/home/user/tolist"])
        {
            var list = await agent.Guest.ListFilesAsync(new ListFilesRequest { Path = path }, cancellationToken: Token);
            Assert.False(list.Truncated);
            Assert.Equal(
                [("a", FileType.Link), ("b", FileType.Regular), ("c", FileType.Other), ("sub", FileType.Directory)],
                list.Entries.Select(entry => (entry.Name, entry.Type))
            );
            Assert.Equal((5, 0x1a0u), (list.Entries[1].Size, list.Entries[1].Mode & 0xfff));
        }

        foreach (
            var (path, status) in new[]
            {
                ("/home/user/list/b", StatusCode.FailedPrecondition),
                ("/home/user/nothing", StatusCode.NotFound),
                ("/proc/self", StatusCode.InvalidArgument),
            }
        )
        {
            var refused = await Assert.ThrowsAsync<RpcException>(async () =>
                await agent.Guest.ListFilesAsync(new ListFilesRequest { Path = path }, cancellationToken: Token)
            );
            Assert.Equal(status, refused.StatusCode);
        }
    }

    [Fact]
    public async Task Files_SymbolicLinks_AreFollowedByReadsAlone()
    {
        var agent = await guest.AgentAsync(Token);
        await agent.RunAsync(Token, "sh", "-c", "mkdir -p ~/l; echo original >~/l/target; ln -sf target ~/l/link; ln -sfn l ~/linkdir");
        foreach (var path in (string[])["/home/user/l/link", "/home/user/linkdir/target"])
        {
            Assert.Equal("original\n"u8.ToArray(), (await GetAsync(agent, path, 0, 0)).Content);
            var info = await agent.Guest.StatFileAsync(new StatFileRequest { Path = path }, cancellationToken: Token);
            Assert.Equal((path, 9L), (info.Path, info.Size));
        }

        // What is no file of the desktop's stays none by another name.
        await agent.RunAsync(Token, "sh", "-c", "ln -s /proc/version ~/l/kernel; ln -s nowhere ~/l/dangling; ln -s loop ~/l/loop");
        foreach (
            var (path, status) in new[]
            {
                ("/home/user/l/kernel", StatusCode.InvalidArgument),
                ("/home/user/l/dangling", StatusCode.NotFound),
                ("/home/user/l/loop", StatusCode.FailedPrecondition),
            }
        )
        {
            Assert.Equal(status, (await Assert.ThrowsAsync<RpcException>(() => GetAsync(agent, path, 0, 0))).StatusCode);
        }

        var inside = await Assert.ThrowsAsync<RpcException>(() =>
            PutAsync(agent, new PutFileHeader { Path = "/home/user/linkdir/new", TotalSize = -1 }, [1])
        );
        Assert.Contains("/home/user/linkdir is a symbolic link", inside.Status.Detail);

        // A put to a link's own place replaces the link; what it pointed to stays.
        await PutAsync(agent, new PutFileHeader { Path = "/home/user/l/link", TotalSize = -1 }, "new\n"u8.ToArray());
        Assert.Equal(
            "regular file\noriginal\nnew\n",
            (await agent.RunAsync(Token, "sh", "-c", "cd ~/l; stat -c %F link; cat target link")).Stdout
        );
    }

    [Theory]
    [InlineData("/home/user", StatusCode.FailedPrecondition)]
    [InlineData("/home/user/nothing", StatusCode.NotFound)]
    [InlineData("/home/user/../user/x", StatusCode.InvalidArgument)]
    [InlineData("relative", StatusCode.InvalidArgument)]
    [InlineData("/proc/1/environ", StatusCode.InvalidArgument)]
    [InlineData("/run/oriel/boot.json", StatusCode.InvalidArgument)]
    public async Task GetFile_NotAFile_IsRefused(string path, StatusCode code)
    {
        var agent = await guest.AgentAsync(Token);
        Assert.Equal(code, (await Assert.ThrowsAsync<RpcException>(() => GetAsync(agent, path, 0, 0))).StatusCode);
    }

    [Fact]
    public async Task GetFile_Fifo_IsRefusedAtOnce()
    {
        var agent = await guest.AgentAsync(Token);
        await agent.RunAsync(Token, "sh", "-c", "rm -f /tmp/fifo; mkfifo /tmp/fifo");
        Assert.Equal(
            StatusCode.FailedPrecondition,
            (await Assert.ThrowsAsync<RpcException>(() => GetAsync(agent, "/tmp/fifo", 0, 0))).StatusCode
        );
    }

    private static async Task<FileInfo> PutAsync(AgentConnection agent, PutFileHeader header, byte[] content)
    {
        using var call = agent.Guest.PutFile(cancellationToken: Token);
        try
        {
            await call.RequestStream.WriteAsync(new PutFileChunk { Header = header }, Token);
            foreach (var chunk in content.Chunk(60_000))
            {
                await call.RequestStream.WriteAsync(new PutFileChunk { Data = ByteString.CopyFrom(chunk) }, Token);
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException)
        {
            // Refused while it was being sent; the response says why.
        }

        return await call.ResponseAsync;
    }

    private static async Task<(FileInfo Info, byte[] Content)> GetAsync(AgentConnection agent, string path, long offset, long length)
    {
        using var call = agent.Guest.GetFile(
            new GetFileRequest
            {
                Path = path,
                Offset = offset,
                Length = length,
            },
            cancellationToken: Token
        );
        FileInfo? info = null;
        using var all = new MemoryStream();
        await foreach (var chunk in call.ResponseStream.ReadAllAsync(Token))
        {
            info ??= chunk.Info;
            chunk.Data.WriteTo(all);
        }

        Assert.NotNull(info);
        return (info, all.ToArray());
    }
}
