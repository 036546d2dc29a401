using System.Net.Sockets;
using Oriel.Linux.Files;

namespace Oriel.Tests.Keeper;

public sealed class SocketFileTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("oriel-socket-").FullName;
    private readonly Socket _listener = New();

    public SocketFileTests()
    {
        _listener.Bind(new UnixDomainSocketEndPoint(PathOf("socket")));
        _listener.Listen();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _listener.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Connect_ByAPathLongerThanAnAddress_ReachesTheSocket()
    {
        var deep = PathOf(new string('d', 200));
        Directory.CreateDirectory(deep);
        File.Move(PathOf("socket"), Path.Combine(deep, "socket"));
        using var socket = New();
        await SocketFile.ConnectAsync(socket, Path.Combine(deep, "socket"), Token);
        using var accepted = await _listener.AcceptAsync(Token);
        Assert.True(socket.Connected);
    }

    [Fact]
    public async Task Connect_WhatIsNoSocket_IsRefused()
    {
        File.CreateSymbolicLink(PathOf("link"), PathOf("socket"));
        File.WriteAllText(PathOf("file"), "");
        foreach (var name in (string[])["link", "file", ".", "nothing"])
        {
            using var socket = New();
            await Assert.ThrowsAsync<SocketException>(() => SocketFile.ConnectAsync(socket, PathOf(name), Token));
        }
    }

    private static Socket New() => new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    private string PathOf(string name) => Path.Combine(_directory, name);
}
