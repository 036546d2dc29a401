using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Oriel.Desktops.Store.Migrations
{
    /// <inheritdoc />
    public partial class IdlePause : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<long>(
                name: "IdlePauseMs",
                table: "Desktops",
                type: "INTEGER",
                nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "IdlePauseMs",
                table: "Desktops");
        }
    }
}
