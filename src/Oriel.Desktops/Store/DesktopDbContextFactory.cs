using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Oriel.Desktops.Store;

/// <summary>The one place that makes database contexts: SQLite in WAL mode, in a file that only its owner reads.</summary>
public sealed class DesktopDbContextFactory : IDbContextFactory<DesktopDbContext>
{
    private readonly DbContextOptions<DesktopDbContext> _options;

    public DesktopDbContextFactory(string path)
    {
        Path = path;
        var connection = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Pooling = true,
            DefaultTimeout = 30,
        };
        _options = new DbContextOptionsBuilder<DesktopDbContext>()
            .UseSqlite(connection.ToString())
            .AddInterceptors(SecureDelete.Instance)
            .Options;
    }

    public string Path { get; }

    public DesktopDbContext CreateDbContext() => new(_options);

    /// <summary>Creates the file (0600) or brings it to the newest schema.</summary>
    /// <exception cref="IOException">The file is no database of Oriel's, or one of a newer Oriel; it is left as it is.</exception>
    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(Path))
        {
            await using var created = new FileStream(
                Path,
                new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                }
            );
        }

        await using var db = CreateDbContext();
        try
        {
            await RefuseForeignAsync(db, cancellationToken);
            await db.Database.MigrateAsync(cancellationToken);
            await db.Database.ExecuteSqlRawAsync("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", cancellationToken);
        }
        catch (SqliteException e)
        {
            throw new IOException($"The database {Path} cannot be used: {e.Message} Move it away to start with an empty one.", e);
        }
    }

    private async Task RefuseForeignAsync(DesktopDbContext db, CancellationToken cancellationToken)
    {
        var applied = (await db.Database.GetAppliedMigrationsAsync(cancellationToken)).ToList();
        if (applied.Except(db.Database.GetMigrations()).LastOrDefault() is { } unknown)
        {
            throw new IOException(
                $"The database {Path} was made by a newer Oriel (migration {unknown}): run that one, or move the file away to start with an empty one."
            );
        }

        if (
            applied.Count == 0
            && await db.Database.SqlQueryRaw<int>("SELECT COUNT(*) AS Value FROM sqlite_master").SingleAsync(cancellationToken) > 0
        )
        {
            throw new IOException($"The database {Path} is not Oriel's: move it away to start with an empty one.");
        }
    }
}

/// <summary>
/// What is deleted or replaced is overwritten with zeros: passwords of upstream proxies stand in the database. SQLite keeps the setting for
/// a connection only (https://sqlite.org/pragma.html#pragma_secure_delete).
/// </summary>
internal sealed class SecureDelete : DbConnectionInterceptor
{
    public static SecureDelete Instance { get; } = new();

    public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA secure_delete = ON";
        command.ExecuteNonQuery();
    }

    public override Task ConnectionOpenedAsync(
        DbConnection connection,
        ConnectionEndEventData eventData,
        CancellationToken cancellationToken = default
    )
    {
        ConnectionOpened(connection, eventData);
        return Task.CompletedTask;
    }
}

/// <summary>For <c>dotnet ef migrations add</c> only.</summary>
internal sealed class DesignTimeFactory : IDesignTimeDbContextFactory<DesktopDbContext>
{
    public DesktopDbContext CreateDbContext(string[] args) => new DesktopDbContextFactory("design.db").CreateDbContext();
}
