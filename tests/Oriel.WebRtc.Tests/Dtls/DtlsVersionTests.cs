using Org.BouncyCastle.Tls;

namespace Oriel.WebRtc.Tests.Dtls;

/// <summary>A real client of one version against the peer's own handshake.</summary>
public sealed class DtlsVersionTests
{
    [Fact]
    public async Task Handshake_ClientOf12_IsMadeWithKeysForSrtp()
    {
        using var pair = new DtlsPair();
        var (server, client) = await pair.HandshakeAsync(ProtocolVersion.DTLSv12);

        Assert.Null(client);
        Assert.Null(server.Failure);
        Assert.NotNull(server.KeyingMaterial);
        Assert.NotNull(server.Transport);
    }

    /// <summary>A page that goes at once sends its last words before the peer's loop has taken over from the handshake's thread.</summary>
    [Fact]
    public async Task Establish_WhatCameMeanwhile_IsReadWithoutAnotherDatagram()
    {
        using var pair = new DtlsPair();
        var (server, _) = await pair.HandshakeAsync(ProtocolVersion.DTLSv12);
        pair.Client!.Send("last words"u8);
        pair.Client.Close();

        pair.Establish(server.Transport!);
        var heard = "";
        Assert.False(pair.Server.Receive(data => heard += System.Text.Encoding.ASCII.GetString(data)));
        Assert.Equal("last words", heard);
    }

    [Fact]
    public async Task Handshake_ClientOf10_IsRefusedForItsVersion()
    {
        using var pair = new DtlsPair();
        var (server, client) = await pair.HandshakeAsync(ProtocolVersion.DTLSv10);

        Assert.Contains("protocol_version", server.Failure);
        Assert.Contains("protocol_version", Assert.IsType<TlsFatalAlertReceived>(client).Message);
    }
}
