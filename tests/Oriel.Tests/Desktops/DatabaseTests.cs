using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Oriel.Desktops.Store;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Desktops;

/// <summary>The database file as a server finds it at its start.</summary>
public sealed class DatabaseTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("oriel-db-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Path => new DataLayout(_directory).Database;

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task MigrateAsync_NoFileOrAnEmptyOne_MakesTheNewestSchema(bool empty)
    {
        if (empty)
        {
            await File.WriteAllBytesAsync(Path, [], Token);
        }

        await new DesktopDbContextFactory(Path).MigrateAsync(Token);

        Assert.Empty(await new DesktopStore(new DesktopDbContextFactory(Path)).LoadAsync(DateTimeOffset.UnixEpoch, Token));
        await using var db = new DesktopDbContextFactory(Path).CreateDbContext();
        Assert.Equal(db.Database.GetMigrations(), await db.Database.GetAppliedMigrationsAsync(Token));
    }

    [Fact]
    public async Task MigrateAsync_StoreOfTheFirstVersion_KeepsItsDesktopAndGetsTheNewestSchema()
    {
        await using (var db = new DesktopDbContextFactory(Path).CreateDbContext())
        {
            await db.GetService<IMigrator>().MigrateAsync("Initial", Token);
            await db.Database.ExecuteSqlRawAsync(
                """
                INSERT INTO Desktops (Id, Name, Template, State, ImageName, ImageDigest, Driver, Width, Height, Hostname, CreatedAt, IdleTimeoutMs, EgressPolicyJson, StepsJson, EventCeiling)
                VALUES ('d-aaaaaaaaaa', 'old', 'default', 'ready', 'desktop', 'sha256:aa', 'container', 1280, 720, 'old', 1, 5000, '{{"mode":"internet"}}', '[]', 1000);
                INSERT INTO Tokens (Hash, Kind, ExpiresAt) VALUES ('aa', 'session', 2592000005), ('bb', 'session', 2592000006), ('cc', 'sign-in', 7);
                """,
                Token
            );
        }

        await new DesktopDbContextFactory(Path).MigrateAsync(Token);

        var (desktop, _) = Assert.Single(
            await new DesktopStore(new DesktopDbContextFactory(Path)).LoadAsync(DateTimeOffset.UnixEpoch, Token)
        );
        Assert.Equal(("old", TimeSpan.FromSeconds(5), null), (desktop.View.Name, desktop.View.IdleTimeout, desktop.View.IdlePause));
        await using var now = new DesktopDbContextFactory(Path).CreateDbContext();
        Assert.Equal(now.Database.GetMigrations(), await now.Database.GetAppliedMigrationsAsync(Token));
        Assert.False(now.Database.HasPendingModelChanges());

        // Nobody is signed out.
        var sessions = await now.Sessions.OrderBy(session => session.Hash).ToListAsync(Token);
        Assert.Equal([("aa", 5L, 2592000005L), ("bb", 6L, 2592000006L)], sessions.Select(s => (s.Hash, s.CreatedAt, s.ExpiresAt)));
        Assert.All(sessions, session => Assert.Matches("^s-[a-z2-7]{10}$", session.Id));
        Assert.NotEqual(sessions[0].Id, sessions[1].Id);
        Assert.Equal("cc", (await now.Tokens.SingleAsync(Token)).Hash);
    }

    [Fact]
    public async Task MigrateAsync_OfItsOwnFileAgain_ChangesNothing()
    {
        await new DesktopDbContextFactory(Path).MigrateAsync(Token);
        var schema = await SchemaAsync();
        await new DesktopDbContextFactory(Path).MigrateAsync(Token);

        Assert.Equal(schema, await SchemaAsync());
    }

    [Fact]
    public async Task MigrateAsync_NoDatabase_SaysSoAndLeavesIt()
    {
        var text = new string('x', 4096);
        await File.WriteAllTextAsync(Path, text, Token);
        var fault = await Assert.ThrowsAsync<IOException>(() => new DesktopDbContextFactory(Path).MigrateAsync(Token));

        Assert.Contains(Path, fault.Message);
        Assert.Contains("not a database", fault.Message);
        Assert.Equal(text, await File.ReadAllTextAsync(Path, Token));
    }

    [Fact]
    public async Task MigrateAsync_DatabaseOfAnotherProgram_SaysSoAndLeavesIt()
    {
        await SqlAsync("CREATE TABLE recipes (name TEXT)");
        var fault = await Assert.ThrowsAsync<IOException>(() => new DesktopDbContextFactory(Path).MigrateAsync(Token));

        Assert.Contains("is not Oriel's", fault.Message);
        Assert.Equal(["recipes"], await SchemaAsync());
    }

    [Fact]
    public async Task MigrateAsync_DatabaseOfANewerOriel_NamesItsMigration()
    {
        await new DesktopDbContextFactory(Path).MigrateAsync(Token);
        await SqlAsync("""INSERT INTO "__EFMigrationsHistory" VALUES ('29990101000000_Future', '99.0.0')""");
        var fault = await Assert.ThrowsAsync<IOException>(() => new DesktopDbContextFactory(Path).MigrateAsync(Token));

        Assert.Contains("29990101000000_Future", fault.Message);
        Assert.Contains("newer Oriel", fault.Message);
    }

    private async Task SqlAsync(string sql)
    {
        await using var connection = new SqliteConnection($"Data Source={Path};Pooling=False");
        await connection.OpenAsync(Token);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync(Token);
    }

    private async Task<List<string>> SchemaAsync()
    {
        await using var connection = new SqliteConnection($"Data Source={Path};Pooling=False");
        await connection.OpenAsync(Token);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT name FROM sqlite_master ORDER BY name";
        await using var reader = await command.ExecuteReaderAsync(Token);
        var names = new List<string>();
        while (await reader.ReadAsync(Token))
        {
            names.Add(reader.GetString(0));
        }

        return names;
    }
}
