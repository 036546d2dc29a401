using Oriel.Agent.Accounts;
using Oriel.Agent.Boot;
using Oriel.Linux.Processes;
using Oriel.Protocol;

namespace Oriel.Tests.GuestAgent;

public sealed class AgentSessionsTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
    private static readonly byte[] Nonce = new byte[32];

    [Fact]
    public void Verify_ProofOfTheSession_Passes()
    {
        var sessions = new AgentSessions(Key, "d-aaaaaaaaaa");
        var (session, proof) = Open(sessions);
        Assert.True(sessions.Verify(session, proof));
        Assert.True(sessions.Verify(session, proof));
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("", "")]
    [InlineData("zz", "zz")]
    public void Verify_Malformed_IsRefused(string? session, string? proof) =>
        Assert.False(new AgentSessions(Key, "d-aaaaaaaaaa").Verify(session, proof));

    [Fact]
    public void Verify_OtherProof_IsRefused()
    {
        var sessions = new AgentSessions(Key, "d-aaaaaaaaaa");
        var (session, proof) = Open(sessions);
        var (other, otherProof) = Open(sessions);
        Assert.False(sessions.Verify(session, otherProof));
        Assert.False(sessions.Verify(session, new string('0', 64)));
        Assert.False(sessions.Verify(session, new string('x', 64)));
        Assert.False(sessions.Verify(new string('0', 64), proof));
        Assert.True(sessions.Verify(other, otherProof));
    }

    [Fact]
    public void Rekey_OldKeyAndSessions_AreStrangers()
    {
        var sessions = new AgentSessions(Key, "d-aaaaaaaaaa");
        var (session, proof) = Open(sessions);
        Assert.True(sessions.Verify(session, proof));
        var key = Key.Reverse().ToArray();
        sessions.Rekey(key, "d-bbbbbbbbbb");

        Assert.False(sessions.Verify(session, proof));
        var (fresh, ownProof) = sessions.Open(Nonce);
        Assert.Equal(AgentProof.OfAgent(key, Nonce, fresh), ownProof);
        Assert.False(sessions.Verify(Convert.ToHexStringLower(fresh), Convert.ToHexStringLower(AgentProof.OfServer(Key, Nonce, fresh))));
        Assert.True(sessions.Verify(Convert.ToHexStringLower(fresh), Convert.ToHexStringLower(AgentProof.OfServer(key, Nonce, fresh))));
        Assert.Equal("d-bbbbbbbbbb", sessions.DesktopId);
    }

    [Fact]
    public void Open_ByManyStrangers_DoesNotDisplaceTheProven()
    {
        var sessions = new AgentSessions(Key, "d-aaaaaaaaaa");
        var (session, proof) = Open(sessions);
        Assert.True(sessions.Verify(session, proof));
        var unproven = Open(sessions);
        for (var i = 0; i < AgentSessions.MaxUnproven; i++)
        {
            Open(sessions);
        }

        Assert.True(sessions.Verify(session, proof));
        Assert.False(sessions.Verify(unproven.Session, unproven.Proof));
    }

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("two\nlines\r\tand\0nul", "two lines  and nul")]
    [InlineData("\x1b[31mred", " [31mred")]
    public void OneLine_ControlCharacters_BecomeSpaces(string text, string line) => Assert.Equal(line, GuestConsole.OneLine(text));

    [Fact]
    public void ProcessTable_NameWithParenthesis_IsParsed()
    {
        Assert.True(ProcessTable.TryParse("42 (a) b (c) S 7 8 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 2 3", out var entry));
        Assert.Equal(new ProcessEntry(42, "a) b (c", 'S', 7, 8, 9, 4711), entry);
        Assert.False(ProcessTable.TryParse("", out _));
        Assert.False(ProcessTable.TryParse("42 (a", out _));
        Assert.False(ProcessTable.TryParse("42 (a) S 7", out _));
        Assert.False(ProcessTable.TryParse("42 (a) S 7 8 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0", out _));
    }

    [Fact]
    public void UserAccounts_Find_ReadsPasswdAndGroups()
    {
        string[] passwd = ["root:x:0:0:root:/root:/bin/bash", "broken:line", "user:x:1000:1001::/home/user:"];
        string[] group = ["sudo:x:27:other,user", "user:x:1001:user", "bad"];
        var user = UserAccounts.Find("user", passwd, group);
        Assert.Equal((1000u, 1001u, "/home/user", "/bin/sh"), (user!.Uid, user.Gid, user.Home, user.Shell));
        Assert.Equal([1001u, 27u], user.Groups);
        Assert.Equal("root", UserAccounts.Find("0", passwd, group)!.Name);
        Assert.Null(UserAccounts.Find("broken", passwd, group));
    }

    private static (string Session, string Proof) Open(AgentSessions sessions)
    {
        var (session, _) = sessions.Open(Nonce);
        return (Convert.ToHexStringLower(session), Convert.ToHexStringLower(AgentProof.OfServer(Key, Nonce, session)));
    }
}
