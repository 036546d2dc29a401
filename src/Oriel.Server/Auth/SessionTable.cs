using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Oriel.Desktops.Store;

namespace Oriel.Server.Auth;

/// <summary>The sessions in the database, by the hashes of their cookies. An expired one is never found.</summary>
internal sealed class SessionTable(IDbContextFactory<DesktopDbContext> factory, TimeProvider clock)
{
    private const string IdLetters = "abcdefghijklmnopqrstuvwxyz234567";
    private const int IdLength = 10;

    /// <summary>When a session was last used is stored no more often than this.</summary>
    private static readonly TimeSpan UseEvery = TimeSpan.FromMinutes(1);

    private long Now => clock.GetUtcNow().ToUnixTimeMilliseconds();

    public async Task AddAsync(string hash, TimeSpan lifetime, string address, string browser, CancellationToken cancellationToken)
    {
        var now = Now;
        await using var db = await factory.CreateDbContextAsync(cancellationToken);
        await db.Sessions.Where(s => s.ExpiresAt <= now).ExecuteDeleteAsync(cancellationToken);
        db.Sessions.Add(
            new SessionRecord
            {
                Hash = hash,
                Id = "s-" + RandomNumberGenerator.GetString(IdLetters, IdLength),
                CreatedAt = now,
                LastUsedAt = now,
                ExpiresAt = now + (long)lifetime.TotalMilliseconds,
                Address = address,
                Browser = browser,
            }
        );
        await db.SaveChangesAsync(cancellationToken);
    }

    /// <summary>Of a session that is being used, which is stored.</summary>
    public async Task<SessionRecord?> FindUsedAsync(string hash, CancellationToken cancellationToken)
    {
        var now = Now;
        await using var db = await factory.CreateDbContextAsync(cancellationToken);
        var found = await db.Sessions.AsNoTracking().SingleOrDefaultAsync(s => s.Hash == hash && s.ExpiresAt > now, cancellationToken);
        if (found is not null && now - found.LastUsedAt >= UseEvery.TotalMilliseconds)
        {
            await db
                .Sessions.Where(s => s.Hash == hash)
                .ExecuteUpdateAsync(set => set.SetProperty(s => s.LastUsedAt, now), cancellationToken);
        }

        return found;
    }

    /// <summary>Newest first.</summary>
    public async Task<List<SessionRecord>> ListAsync(CancellationToken cancellationToken)
    {
        var now = Now;
        await using var db = await factory.CreateDbContextAsync(cancellationToken);
        return await db
            .Sessions.AsNoTracking()
            .Where(s => s.ExpiresAt > now)
            .OrderByDescending(s => s.CreatedAt)
            .ThenBy(s => s.Id)
            .ToListAsync(cancellationToken);
    }

    public async Task DeleteAsync(IReadOnlyList<string> hashes, CancellationToken cancellationToken)
    {
        await using var db = await factory.CreateDbContextAsync(cancellationToken);
        await db.Sessions.Where(s => hashes.Contains(s.Hash)).ExecuteDeleteAsync(cancellationToken);
    }

    public async Task DeleteAllAsync(CancellationToken cancellationToken)
    {
        await using var db = await factory.CreateDbContextAsync(cancellationToken);
        await db.Sessions.ExecuteDeleteAsync(cancellationToken);
    }
}
