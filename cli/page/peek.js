// --- a card beside the token that the pointer or the focus is on ---

// Time to move from one token to another, or into the card, without its coming and going; milliseconds.
const CALM = 150;

class Peek {
  // `card` is an empty element. `onForce(turn, position, token)`: another token was chosen in it. `onLookInside()`: what
  // is inside is to be seen, which a phone has further down.
  constructor(card, onForce, onLookInside) {
    this.card = card;
    this.likely = new Tokens({
      shares: (...place) => sharesOf(this.turn)(...place),
      onForce: (position, token) => { this.hide(); onForce(this.turn, position, token); },
    });
    this.inside = make("button", { type: "button", className: "button inside-link" }, "Look inside ↓");
    this.inside.addEventListener("click", () => { this.hide(); onLookInside(); });
    card.append(this.likely.side, this.inside);
    card.addEventListener("mouseenter", () => clearTimeout(this.timer));
    card.addEventListener("mouseleave", () => this.leave());
    card.addEventListener("focusout", (event) => this.blur(event));
    addEventListener("keydown", (event) => event.key === "Escape" && this.hide());
    addEventListener("scroll", (event) => !card.contains(event.target) && this.follow(), true);
  }

  show(turn, position, button) {
    clearTimeout(this.timer);
    if (button === document.activeElement) {
      button.addEventListener("blur", (event) => this.blur(event), { once: true });
      this.open(turn, position, button);
    } else this.timer = setTimeout(() => this.open(turn, position, button), CALM);
  }

  open(turn, position, button) {
    if (!button.isConnected) return;
    this.turn = turn;
    this.likely.data = turn.seen;
    this.likely.tell(position);
    this.card.hidden = false;
    this.button = button;
    this.place();
  }

  // Below the token, or above it where there is more room; never over it.
  place() {
    const { style } = this.card, token = this.button.getBoundingClientRect();
    style.maxHeight = "";
    const { offsetWidth, offsetHeight } = this.card, below = innerHeight - token.bottom - 11, above = token.top - 11;
    const isBelow = below >= Math.min(offsetHeight, above), height = Math.min(offsetHeight, isBelow ? below : above);
    style.maxHeight = `${height}px`;
    style.left = `${Math.max(8, Math.min(token.left, document.documentElement.clientWidth - offsetWidth - 8))}px`;
    style.top = `${isBelow ? token.bottom + 3 : token.top - height - 3}px`;
  }

  // Where its token goes when the text is scrolled; with it out of sight.
  follow() {
    if (this.card.hidden) return;
    const token = this.button.getBoundingClientRect(), text = $("turns").getBoundingClientRect();
    if (token.bottom > Math.max(text.top, 0) && token.top < Math.min(text.bottom, innerHeight)) this.place();
    else this.hide();
  }

  blur({ relatedTarget }) {
    if (!this.card.contains(relatedTarget)) this.hide();
  }

  leave() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.card.contains(document.activeElement) || this.hide(), CALM);
  }

  hide() {
    clearTimeout(this.timer);
    this.card.hidden = true;
  }
}
