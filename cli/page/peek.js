// --- a card beside the token that the pointer or the focus is on ---

// Time to move from one token to another, or into the card, without its coming and going; milliseconds.
const CALM = 150;

class Peek {
  // `card` is an empty element. `onForce(turn, position, token)`: another token was chosen in it.
  constructor(card, onForce) {
    this.card = card;
    this.likely = new Tokens({
      shares: (...place) => sharesOf(this.turn)(...place),
      onForce: (position, token) => { this.hide(); onForce(this.turn, position, token); },
    });
    card.append(this.likely.side);
    card.addEventListener("mouseenter", () => clearTimeout(this.timer));
    card.addEventListener("mouseleave", () => this.leave());
    card.addEventListener("focusout", (event) => this.blur(event));
    addEventListener("keydown", (event) => event.key === "Escape" && this.hide());
    addEventListener("scroll", (event) => !card.contains(event.target) && this.hide(), true);
  }

  show(turn, position, button) {
    clearTimeout(this.timer);
    if (button === document.activeElement) {
      button.addEventListener("blur", (event) => this.blur(event), { once: true });
      this.open(turn, position, button);
    } else this.timer = setTimeout(() => this.open(turn, position, button), CALM);
  }

  // Below the token, or above it where there is no room.
  open(turn, position, button) {
    if (!button.isConnected) return;
    this.turn = turn;
    this.likely.data = turn.seen;
    this.likely.tell(position);
    this.card.hidden = false;
    const token = button.getBoundingClientRect(), { offsetWidth, offsetHeight } = this.card;
    const left = Math.min(token.left, document.documentElement.clientWidth - offsetWidth - 8), isBelow = token.bottom + offsetHeight + 8 <= innerHeight;
    this.card.style.left = `${Math.max(8, left)}px`;
    this.card.style.top = `${isBelow ? token.bottom + 3 : Math.max(8, token.top - offsetHeight - 3)}px`;
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
